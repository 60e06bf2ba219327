/** A Join Server alone, by its commands: peers, KEKs, moves, master keys, rotation, exports, the audit log, backup and restore. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unwrapKey } from "@trefoil/custody";
import type { ExposureRow, StatementRow } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Alone,
  addPeer,
  commandsOf,
  join_,
  joinNonceIn,
  makeJoiningDevice,
  makeKeks,
  type Peer,
  registerDevice,
  startAlone,
} from "./alone.ts";
import { startTestNetwork } from "./kit.ts";

let net: Alone;
let acme: Peer;
let other: Peer;
let keks: Awaited<ReturnType<typeof makeKeks>>;
beforeAll(async () => {
  net = await startAlone();
  acme = await addPeer(net, "acme", "000013", "acme-as");
  other = await addPeer(net, "other", "600021", "other-as");
  keks = await makeKeks(net, acme, "acme-as");
  await makeKeks(net, other, "other-as");
}, 120_000);
afterAll(() => net?.close());

const codeOf = async (peer: Peer, device: Parameters<typeof join_>[2], devNonce: number) =>
  (await join_(net, peer, device, devNonce)).Result.ResultCode;

test("nobody is served until the owner says so; then the session keys come under the KEKs that were shown", async () => {
  const device = makeJoiningDevice();
  await registerDevice(net, "first", device);
  expect(await codeOf(acme, device, 1)).toBe("UnknownDevEUI");
  await net.say(["device", "move", "--join-euis", `${device.joinEui}-${device.joinEui}`, "--to", "acme"]);
  const { Result, NwkSKey, AppSKey, PHYPayload } = await join_(net, acme, device, 1);
  expect(Result.ResultCode).toBe("Success");
  expect([NwkSKey?.KEKLabel, AppSKey?.KEKLabel]).toEqual(["ns-000013", "acme-as"]);
  const [nwkSKey, appSKey] = [
    unwrapKey(Buffer.from(keks.network.kek, "hex"), Buffer.from(NwkSKey?.AESKey ?? "", "hex")),
    unwrapKey(Buffer.from(keks.application.kek, "hex"), Buffer.from(AppSKey?.AESKey ?? "", "hex")),
  ];
  expect([nwkSKey?.length, appSKey?.length]).toEqual([16, 16]);
  expect(unwrapKey(Buffer.from(keks.network.kek, "hex"), Buffer.from(AppSKey?.AESKey ?? "", "hex"))).toBeUndefined();
  expect(joinNonceIn(PHYPayload as string, device)).toBeGreaterThan(0);
});

test("a moved device joins at its new network; the former one gets UnknownDevEUI (docs/moving-devices.md)", async () => {
  const device = makeJoiningDevice();
  await registerDevice(net, "moving", device);
  expect(await codeOf(acme, device, 1)).toBe("Success");
  expect(await codeOf(other, device, 2)).toBe("UnknownDevEUI");
  await net.say(["device", "move", device.devEui, "--to", "other"]);
  expect(await codeOf(acme, device, 3)).toBe("UnknownDevEUI");
  expect(await codeOf(other, device, 4)).toBe("Success");
  const entries = await net.say<readonly StatementRow[]>(["peer", "list"]);
  expect(entries).toHaveLength(2);
  await net.say(["device", "move", device.devEui, "--to", "nobody"]);
  expect(await codeOf(other, device, 5)).toBe("UnknownDevEUI");
  // Data for one, frames for the other.
  await net.say(["device", "move", device.devEui, "--to", "other", "--application-server", "acme"]);
  expect((await join_(net, other, device, 6)).AppSKey?.KEKLabel).toBe("acme-as");
});

test("a revoked peer is answered no more, and its name is taken from the owner's record", async () => {
  const passing = await addPeer(net, "passing", "00000a", "passing-as");
  await makeKeks(net, passing, "passing-as");
  const device = makeJoiningDevice();
  await registerDevice(net, "passing-device", device);
  await net.say(["device", "move", device.devEui, "--to", "passing"]);
  expect(await codeOf(passing, device, 1)).toBe("Success");
  await net.say(["peer", "revoke", "passing"]);
  await expect(join_(net, passing, device, 2)).rejects.toMatchObject({ code: "ECONNRESET" }); // not even at the door
  expect(await net.refused(["device", "move", device.devEui, "--to", "passing"])).toBe("peer/unknown");
});

test("what only the owner may do needs the owner's key: without the passphrase nothing is signed", async () => {
  const passphrase = join(net.dataDir, "owner", "passphrase");
  const before = await net.say<{ standing: unknown[] }>(["statements", "list"]);
  renameSync(passphrase, net.file("moved-away"));
  try {
    for (const command of [
      ["peer", "revoke", "acme"],
      ["kek", "make", "--net-id", "000013", "--label", "l"],
      ["device", "move", "--join-euis", "0000000000000000-ffffffffffffffff", "--to", "nobody"],
      ["certificate", "renew"],
    ])
      expect(await net.refused(command)).toBe("owner/passphrase-missing");
    writeFileSync(passphrase, "wrong\n");
    expect(await net.refused(["peer", "revoke", "acme"])).toBe("owner/passphrase-wrong");
  } finally {
    renameSync(net.file("moved-away"), passphrase);
  }
  expect(await net.say(["statements", "list"])).toEqual(before);
});

test("a label belongs to one receiver: a second one is refused in words, and what was refused is not in force later", async () => {
  expect(await net.refused(["kek", "make", "--net-id", "600021", "--label", "ns-000013"])).toBe(
    "statement/label-taken",
  );
  const { waiting } = await net.say<{ waiting: number }>(["statements", "list"]);
  expect(waiting).toBe(0);
});

test("a device of a master key's range joins with no key registered; the ledger says derived (LORA-KDF-1)", async () => {
  const range = "70b3d57ed0009000-70b3d57ed0009fff";
  const master = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
  await net.say(["master-key", "register", "--join-euis", range, "--epoch", "1"], master);
  await net.say(["device", "move", "--join-euis", range, "--to", "acme"]);
  const stranger = makeJoiningDevice("70b3d57ed0009001");
  expect(await codeOf(acme, stranger, 1)).toBe("MICFailed"); // known, but this is not the derived key
  expect(await net.say<unknown[]>(["master-key", "list"])).toHaveLength(1);
  expect(await net.refused(["master-key", "register", "--join-euis", range, "--epoch", "2"], "abcd")).toBe(
    "keys/malformed",
  );
});

test("how keys came is in the ledger: typed by a person is exposed", async () => {
  const rows = await net.say<ExposureRow[]>(["exposure", "list", "--exposed"]);
  expect(rows.length).toBeGreaterThan(0);
  expect(new Set(rows.map(({ provenance }) => provenance))).toEqual(new Set(["typed"]));
});

test("keys leave only sealed, only with the fingerprint compared, and the other realm's devices join on with their nonces", async () => {
  const device = makeJoiningDevice();
  await registerDevice(net, "leaving", device);
  const first = await join_(net, acme, device, 7);
  const there = await startAlone();
  try {
    const { fingerprint } = await there.say<{ fingerprint: string }>([
      "vault",
      "key",
      "--out",
      there.file("vault.pub"),
    ]);
    const command = [
      "device",
      "export",
      device.devEui,
      "--to",
      there.file("vault.pub"),
      "--out",
      net.file("export.json"),
    ];
    expect(await net.refused(command)).toBe("export/not-compared");
    expect(await net.refused([...command, "--fingerprint", "0".repeat(64)])).toBe("export/other-fingerprint");
    expect(existsSync(net.file("export.json"))).toBe(false);
    await net.say([...command, "--fingerprint", fingerprint]);
    const exported = readFileSync(net.file("export.json"), "utf8");
    expect(exported).not.toContain(device.appKey.toString("hex"));
    expect(exported).not.toContain(device.appKey.toString("base64").slice(0, 20));
    expect(JSON.parse(exported)).toMatchObject({ format: "trefoil-export-1", devices: [{ usedDevNonces: [7] }] });

    await there.say(["device", "import", net.file("export.json")]);
    const peer = await addPeer(there, "new", "000013", "new-as");
    await makeKeks(there, peer, "new-as");
    await there.say(["device", "move", device.devEui, "--to", "new"]);
    expect((await join_(there, peer, device, 7)).Result.ResultCode).not.toBe("Success"); // used in its former realm
    const next = await join_(there, peer, device, 8);
    expect(next.Result.ResultCode).toBe("Success");
    expect(joinNonceIn(next.PHYPayload as string, device)).toBeGreaterThan(
      joinNonceIn(first.PHYPayload as string, device),
    );
  } finally {
    await there.close();
  }
  const [row] = (await net.say<ExposureRow[]>(["exposure", "list"])).filter(({ devEui }) => devEui === device.devEui);
  expect(row?.exportedTo).toHaveLength(1);
});

test("an owner's statement made while nothing runs waits, and is in force after the start", async () => {
  const device = makeJoiningDevice();
  await registerDevice(net, "waiting", device);
  await net.network.stop();
  const { said } = await net.say<{ said: string }>([
    ...["device", "move", device.devEui, "--join-eui", device.joinEui, "--to", "other"],
  ]);
  expect(said).toBe("waiting");
  await net.restart();
  expect(await codeOf(other, device, 1)).toBe("Success");
});

test("the audit log of keys is sound; a changed entry is named, exit code 1 (docs/audit-log.md)", async () => {
  const log = join(net.dataDir, "vault", "audit-log");
  const copy = net.file("audit-copy");
  cpSync(log, copy, { recursive: true });
  const { chains } = await net.say<{ chains: { result: string; entries: number }[] }>(["audit-log", "verify"]);
  expect(chains[0]?.result).not.toBe("broken");
  expect(chains[0]?.entries).toBeGreaterThan(20);
  const [segment] = readdirSync(copy).sort();
  const path = join(copy, segment as string);
  const lines = readFileSync(path, "utf8").split("\n");
  lines[10] = (lines[10] as string).replace(/"at":\d/, '"at":9');
  writeFileSync(path, lines.join("\n"));
  await expect(net.say(["audit-log", "verify", "--folder", copy])).rejects.toThrow(/audit\/changed/);
  rmSync(copy, { recursive: true });
});

test("a restored network says no JoinNonce twice, and knows what it was told (DESIGN §4)", async () => {
  const device = makeJoiningDevice();
  await registerDevice(net, "restored", device);
  await net.say(["device", "move", device.devEui, "--to", "acme"]);
  await join_(net, acme, device, 1);
  await net.say(["backup", "--to", net.file("backup")]);
  const backedUp = readdirSync(net.file("backup"), { recursive: true }).map(String);
  for (const secret of ["owner/owner.key", "owner/ca.key", "owner/passphrase", "vault/passphrase"])
    expect(backedUp).not.toContain(secret);
  let seen = 0; // by the device, after the backup
  for (const devNonce of [2, 3, 4])
    seen = joinNonceIn((await join_(net, acme, device, devNonce)).PHYPayload as string, device);
  const passphrase = net.file("passphrase");
  cpSync(join(net.dataDir, "vault", "passphrase"), passphrase);
  await net.network.stop();

  const dataDir = net.file("again");
  const { say, refused } = commandsOf(dataDir, net.config);
  expect(await refused(["restore", "--from", net.dataDir])).toBe("restore/no-backup");
  const { missing } = await say<{ missing: { path: string }[] }>([
    ...["restore", "--from", net.file("backup"), "--passphrase-file", passphrase],
  ]);
  expect(missing.map(({ path }) => path)).toEqual(
    ["owner.key", "ca.key", "passphrase"].map((name) => join(dataDir, "owner", name)),
  );
  expect(await refused(["peer", "revoke", "acme"])).toBe("owner/key-missing");
  const again = await startTestNetwork({ config: net.config, deployment: "join-server", dataDir });
  try {
    const { PHYPayload, Result } = await join_(Object.assign(again, commandsOf(dataDir, net.config)), acme, device, 5);
    expect(Result.ResultCode).toBe("Success");
    expect(joinNonceIn(PHYPayload as string, device)).toBeGreaterThan(seen);
    expect(existsSync(join(dataDir, "join-server", "restored.json"))).toBe(false);
  } finally {
    await again.network.stop();
    await net.restart();
  }
}, 120_000);
