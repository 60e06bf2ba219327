import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Key, type KeyRole, makeSealingKeyPair } from "@trefoil/custody";
import type { Role } from "@trefoil/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { realmFormat, writeRecord } from "../owner/record.ts";
import { createDevices, type NewDevice } from "./provision.ts";

let dataDir: string;
let servers: Server[];
let asked: string[];
const vault = makeSealingKeyPair().published;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "prov-"));
  mkdirSync(join(dataDir, "owner"));
  writeRecord(dataDir, {
    format: realmFormat,
    deployment: "network",
    owner: "",
    receivers: { "join-server": vault.fingerprint },
    vault: { publicKey: vault.publicKey, auditKey: "" },
    network: { netId: "000000" },
    asId: "as",
  });
  servers = [];
  asked = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  rmSync(dataDir, { recursive: true });
});

/** A server that answers administration calls: its public key, and a fate for every device. */
async function play(role: Role, publicKey: string, fate: object = { ok: true }): Promise<void> {
  mkdirSync(join(dataDir, role));
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    asked.push(`${role} ${request.method} ${request.url}`);
    const results = request.method === "POST" ? (JSON.parse(body) as unknown[]).map(() => fate) : [];
    response.end(JSON.stringify(request.method === "GET" ? { publicKey } : { results }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(join(dataDir, role, "admin.sock"), resolve));
}

const device = (): NewDevice => ({
  applicationId: "app",
  deviceId: "dev",
  devEui: "0011223344556677",
  joinEui: "70b3d57ed0000001",
  macVersion: "1.0.4",
  region: "EU868",
  keys: new Map<KeyRole, Key>([["AppKey", new Key("AppKey", new Uint8Array(16))]]),
});
const realm = () => ({ dataDir, netId: "000000", asId: "as" });

test("a join-server that shows a key of its own in place of the vault's gets nothing sealed, and no server is changed", async () => {
  await play("application-server", "");
  await play("network-server", "");
  await play("join-server", makeSealingKeyPair().published.publicKey);
  await expect(createDevices(realm(), [device()])).rejects.toMatchObject({ code: "seal/not-the-receiver" });
  expect(asked).toEqual(["join-server GET /vault"]);
});

test("what the join-server refuses is taken back from the others", async () => {
  await play("application-server", "");
  await play("network-server", "");
  await play("join-server", vault.publicKey, { ok: false, code: "device/exists", message: "it exists" });
  expect(await createDevices(realm(), [device()])).toMatchObject([{ ok: false, code: "device/exists" }]);
  expect(asked.filter((call) => call.includes("DELETE")).sort()).toEqual([
    "application-server DELETE /devices/0011223344556677",
    "network-server DELETE /devices/0011223344556677",
  ]);
});

test("a device whose keys are derived in the vault is told to the others only; a Join Server alone is told alone", async () => {
  await play("application-server", "");
  await play("network-server", "");
  await play("join-server", vault.publicKey);
  expect(await createDevices(realm(), [{ ...device(), keys: new Map(), derived: true }])).toEqual([{ ok: true }]);
  expect(asked.filter((call) => call.includes("POST")).sort()).toEqual([
    "application-server POST /devices",
    "network-server POST /devices",
  ]);
  asked = [];
  expect(await createDevices({ ...realm(), deployment: "join-server" }, [device()])).toEqual([{ ok: true }]);
  expect(asked).toEqual(["join-server GET /vault", "join-server POST /devices"]);
});
