/** A join-server in this process, its vault as a process of its own, two networks with a certificate each, and devices. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type JoinAns, parseMessage } from "@trefoil/backend-interfaces";
import {
  Key,
  type KeyRole,
  type LabelledKek,
  makeKekSealedTo,
  makeOwnerKey,
  openEnvelope,
  openOwnerKey,
  parseReceiver,
  sealKeys,
  signRegistration,
} from "@trefoil/custody";
import { cmac4 } from "@trefoil/lorawan";
import { issueCertificate, makeServerKeyAndCsr } from "@trefoil/service/certificates";
import { type InProcess, makeTestNetwork, startChild, startInProcess, type TestChild } from "@trefoil/service/testing";
import type { Address, JoinDevice, MacVersion, VaultInfo } from "@trefoil/wire";
import { joinServer } from "../src/index.ts";

const vaultSource = fileURLToPath(new URL("../../vault/src/", import.meta.url));
const project = fileURLToPath(new URL("../../../", import.meta.url));
export const netIds = { ours: "000013", theirs: "600021" } as const;
export type Network = keyof typeof netIds;

type Server = Pick<InProcess, "listeners" | "lines" | "giveVaultPipe" | "stop"> & { readonly kill?: TestChild["kill"] };
export type Answer = { readonly status: number; readonly body: unknown };
export type Setting = Awaited<ReturnType<typeof makeSetting>>;

const owner = makeOwnerKey("test");
const ownerKey = openOwnerKey(owner.privateKeyPem, "test");

export async function makeSetting() {
  const network = await makeTestNetwork("vault", "join-server", "network-server");
  const dataDir = network.dataDir("join-server");
  const certificates = {
    ours: network.station("network-server").tls,
    theirs: await foreign(),
    stranger: await foreign(),
  };
  writeFileSync(join(dataDir, "networks.json"), JSON.stringify({ [netIds.theirs]: certificates.theirs.spki }));

  const made = spawnSync(process.execPath, [`${vaultSource}init.ts`], {
    input: JSON.stringify({ dataDir: network.dataDir("vault"), ownerPublicKey: owner.publicKey }),
    encoding: "utf8",
  });
  const vaultInfo: VaultInfo = JSON.parse(made.stdout);
  const receiver = parseReceiver(vaultInfo.publicKey);

  async function foreign() {
    const { keyPem, csrPem } = await makeServerKeyAndCsr("network-server");
    const { certificatePem, spki } = await issueCertificate(network.ca, "network-server", csrPem);
    return { key: keyPem, cert: certificatePem, ca: network.ca.certificatePem, spki };
  }

  // As the supervisor starts it: it may read the code and its own folder.
  const folder = network.dataDir("vault");
  const fence = [
    "--permission",
    `--allow-fs-read=${project}`,
    `--allow-fs-read=${folder}`,
    `--allow-fs-write=${folder}`,
  ];

  let vault: TestChild | undefined;
  let server: Server | undefined;
  const running = () => server as Server;
  const config = { network: { ...network.boot("join-server").config.network, netId: netIds.ours } };

  async function startVault() {
    vault = startChild(`${vaultSource}main.ts`, network.boot("vault"), fence);
    await vault.ready;
    server?.giveVaultPipe(vault.process.stdio[4] as Socket);
  }
  async function startServer() {
    server = await startInProcess(joinServer, network.boot("join-server", config));
    if (vault) server.giveVaultPipe(vault.process.stdio[4] as Socket);
  }
  /** As a process of its own, to be killed. */
  async function startServerProcess() {
    const child = startChild(
      fileURLToPath(new URL("../src/main.ts", import.meta.url)),
      network.boot("join-server", config),
    );
    const giveVaultPipe = (pipe: Socket) => {
      if (child.process.connected) child.process.send({ vaultPipe: true }, pipe);
    };
    server = {
      listeners: await child.ready,
      lines: [],
      giveVaultPipe,
      stop: async () => void (await child.stop()),
      kill: child.kill,
    };
    if (vault) giveVaultPipe(vault.process.stdio[4] as Socket);
    await until(async () => (await http("/readyz")) === "ready\n");
  }

  const admin = (method: string, path: string, body?: unknown): Promise<Answer> => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const asked = httpRequest({ socketPath: join(dataDir, "admin.sock"), method, path, headers });
    return answered(asked, body === undefined ? undefined : JSON.stringify(body));
  };

  const http = (path: string): Promise<string> =>
    fetch(`http://127.0.0.1:${(running().listeners.http as Address).port}${path}`).then((answer) => answer.text());

  /** POSTs to the interop listener with the certificate of a network. */
  const post = (from: Network | "stranger", body: unknown, { method = "POST", path = "/" } = {}): Promise<Answer> => {
    const { key, cert, ca } = certificates[from];
    const { port } = running().listeners.interop as Address;
    const asked = httpsRequest({
      host: "127.0.0.1",
      port,
      path,
      method,
      key,
      cert,
      ca,
      agent: false,
      checkServerIdentity: () => undefined,
    });
    return answered(asked, typeof body === "string" ? body : JSON.stringify(body));
  };

  /** Makes the KEKs of a network and of the application server, signed by the owner. */
  const keks: { network?: LabelledKek; theirs?: LabelledKek; application?: LabelledKek } = {};
  async function registerKeks() {
    const rows = [
      ["network", { label: "ns/000013", netId: netIds.ours }],
      ["theirs", { label: "ns/600021", netId: netIds.theirs }],
      ["application", { label: "as/trefoil-as", asId: "trefoil-as" }],
    ] as const;
    for (const [name, binding] of rows) {
      const { kek, sealed } = makeKekSealedTo(receiver as NonNullable<typeof receiver>, binding.label);
      keks[name] = kek;
      const signed = signRegistration(ownerKey as NonNullable<typeof ownerKey>, {
        version: 1,
        kind: "kek",
        ...binding,
        kek: sealed,
        issuedAt: 1,
      });
      await admin("POST", "/registrations", signed);
    }
  }

  const sealFor = (device: TestDevice, names: { readonly joinEui: string; readonly devEui: string } = device) =>
    sealKeys(
      receiver as NonNullable<typeof receiver>,
      Object.entries(device.keys).map(([role, key]) => ({
        key: new Key(role as KeyRole, Buffer.from(key, "hex")),
        joinEui: names.joinEui,
        devEui: names.devEui,
      })),
    );
  const row = (device: TestDevice, change: object = {}): JoinDevice => ({
    ...{
      devEui: device.devEui,
      joinEui: device.joinEui,
      macVersion: device.macVersion,
      netId: device.netId,
      asId: "trefoil-as",
    },
    ...{ sealed: sealFor(device), ...change },
  });

  return {
    ...{
      network,
      dataDir,
      vaultInfo,
      keks,
      admin,
      http,
      post,
      registerKeks,
      row,
      sealFor,
      startVault,
      startServer,
      startServerProcess,
    },
    lines: () => running().lines,
    stopServer: () => running().stop(),
    killServer: () => running().kill?.(),
    killVault: () => (vault as TestChild).kill(),
    end: async () => {
      await server?.stop();
      await vault?.stop();
      network.remove();
    },
  };
}

function answered(asked: ReturnType<typeof httpRequest>, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.once("error", reject);
    asked.once("response", (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString() || "null") }),
      );
    });
    asked.end(body);
  });
}

/** Waits for as long as the test may take. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((done) => setTimeout(done, 5));
}

export type TestDevice = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly macVersion: MacVersion;
  readonly netId: string;
  readonly keys: { readonly AppKey: string; readonly NwkKey?: string };
};
let lastDevice = 0;
export function newDevice(macVersion: MacVersion, netId: string = netIds.ours): TestDevice {
  lastDevice += 1;
  const key = (start: number) =>
    Buffer.from(Array.from({ length: 16 }, (_, i) => (start + 7 * lastDevice + 13 * i) & 255)).toString("hex");
  const keys = macVersion === "1.1" ? { AppKey: key(3), NwkKey: key(100) } : { AppKey: key(50) };
  return {
    devEui: `00112233445566${lastDevice.toString(16).padStart(2, "0")}`,
    joinEui: "70b3d57ed0000001",
    macVersion,
    netId,
    keys,
  };
}

export const rootOf = ({ keys }: TestDevice): Uint8Array => Buffer.from(keys.NwkKey ?? keys.AppKey, "hex");

/** The PHYPayload of a join-request as the device sends it. */
export function joinRequest(device: TestDevice, devNonce: number, key = rootOf(device)): string {
  const reversed = (hex: string) => Buffer.from(hex, "hex").reverse();
  const message = Buffer.concat([
    Buffer.of(0),
    reversed(device.joinEui),
    reversed(device.devEui),
    Buffer.of(devNonce & 255, devNonce >> 8),
  ]);
  return Buffer.concat([message, cmac4(key, message)]).toString("hex");
}

let lastTransaction = 0;
export function joinReq(device: TestDevice, devNonce: number, change: object = {}) {
  lastTransaction += 1;
  return {
    ...{
      ProtocolVersion: "1.0",
      SenderID: device.netId,
      ReceiverID: device.joinEui,
      TransactionID: lastTransaction,
      MessageType: "JoinReq",
    },
    ...{
      MACVersion: device.macVersion,
      PHYPayload: joinRequest(device, devNonce),
      DevEUI: device.devEui,
      DevAddr: "26011bda",
    },
    ...{ DLSettings: device.macVersion === "1.1" ? "80" : "00", RxDelay: 1 },
    ...change,
  };
}

/** What the peer understands of an answer: ResultCode and Description, or the message. */
export function understood({ status, body }: Answer): {
  status: number;
  code: string;
  description?: string | undefined;
  message: JoinAns;
} {
  const parsed = parseMessage(body);
  if (parsed.result === "refused" || parsed.message.MessageType !== "JoinAns")
    throw new Error(`no JoinAns: ${JSON.stringify(body)}`);
  const { Result } = parsed.message;
  return { status, code: Result.code, description: Result.description, message: parsed.message };
}

export function openKey(kek: LabelledKek | undefined, envelope: unknown, role: KeyRole): string {
  const opened = openEnvelope(kek as LabelledKek, envelope, role);
  if (opened.result === "refused") throw new Error(opened.code);
  return opened.key.expose((octets) => Buffer.from(octets).toString("hex"));
}
