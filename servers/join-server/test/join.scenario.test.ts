/** Joins over real HTTPS with two networks' certificates, with the vault as a process of its own. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DevEui,
  decodeJoinAcceptFields,
  decryptJoinAccept,
  deriveJsEncKey,
  deriveSessionKeys10,
  deriveSessionKeys11,
  type JoinEui,
  type NetId,
} from "@trefoil/lorawan";
import { listenHttps } from "@trefoil/service";
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinReq, joinRequest, netIds, newDevice, rejoinReq, rootOf, type TestDevice } from "./frames.ts";
import { poll } from "./poll.ts";
import { type Answer, makeSetting, openKey, type Setting, understood, until } from "./setting.ts";

let at: Setting;
beforeAll(async () => {
  at = await makeSetting();
  await at.startVault();
  await at.startServer();
  await at.sayPeers();
});
afterAll(() => at.end());

const create = async (device: TestDevice, change: object = {}): Promise<TestDevice> => {
  expect(await at.admin("POST", "/devices", [at.row(device, change)])).toEqual({
    status: 200,
    body: { results: [{ ok: true }] },
  });
  return device;
};
const ask = async (request: object) => understood(await at.post("ours", request));
const code = async (request: object) => {
  const { code: result, description } = await ask(request);
  return description === undefined ? result : `${result} ${description}`;
};
const acceptOf = (device: TestDevice, phyPayload: string | undefined) => {
  const clear = decryptJoinAccept(rootOf(device), Buffer.from(phyPayload ?? "", "hex"));
  const fields = decodeJoinAcceptFields(clear?.fields ?? new Uint8Array());
  return "reason" in fields ? expect.unreachable(fields.reason) : fields;
};
const audit = async (kind: string) =>
  ((await at.admin("GET", "/audit")).body as { kind: string }[]).filter((row) => row.kind === kind);
const hexOf = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

it("without the owner's KEK statement no device joins: there is no fallback to keys in the clear (docs/authority.md)", async () => {
  const device = await create(newDevice("1.0.4"));
  expect(await code(joinReq(device, 1))).toBe("JoinReqFailed join/no-network-kek");
  await at.sayKeks();
  expect(await code(joinReq(device, 1))).toBe("Success");
});

it("a 1.0.4 device joins: one round of TS002, keys only in envelopes, each for its server (TS002-1.0.0 §8)", async () => {
  const device = await create(newDevice("1.0.4"));
  const { code: result, status, message } = await ask(joinReq(device, 5, { SenderToken: "aa", TransactionID: 77 }));
  expect([result, status]).toEqual(["Success", 200]);
  expect(message).toMatchObject({
    SenderID: device.joinEui,
    ReceiverID: netIds.ours,
    TransactionID: 77,
    ReceiverToken: "aa",
    Lifetime: 0,
  });
  expect(message.SessionKeyID).toMatch(/^[0-9a-f]{32}$/);
  const { joinNonce, netId, devAddr } = acceptOf(device, message.PHYPayload);
  expect([netId, devAddr]).toEqual([netIds.ours, "26011bda"]);
  const keys = deriveSessionKeys10(rootOf(device), joinNonce, netIds.ours as NetId, 5);
  expect(openKey(at.keks.network, message.NwkSKey, "NwkSKey")).toBe(hexOf(keys.nwkSKey));
  expect(openKey(at.keks.application, message.AppSKey, "AppSKey")).toBe(hexOf(keys.appSKey));
  expect(message.FNwkSIntKey).toBeUndefined();
  expect(() => openKey(at.keks.network, message.AppSKey, "AppSKey")).toThrow("envelope/unknown-label");
});

it("a 1.1 device rejoins: new keys with its JoinNonce and RJcount, under JSEncKey and JSIntKey (LoRaWAN 1.1 §6.2.4)", async () => {
  const device = await create(newDevice("1.1"));
  await ask(joinReq(device, 0));
  for (const [type, rjCount] of [
    [0, 0],
    [1, 7],
    [2, 1],
  ] as const) {
    const { message, code: result } = await ask(rejoinReq(device, type, rjCount));
    expect([result, message.MessageType]).toEqual(["Success", "RejoinAns"]);
    const jsEncKey = deriveJsEncKey(rootOf(device), device.devEui as DevEui);
    const clear = decryptJoinAccept(jsEncKey, Buffer.from(message.PHYPayload ?? "", "hex"));
    const fields = decodeJoinAcceptFields(clear?.fields ?? new Uint8Array());
    if ("reason" in fields) return expect.unreachable(fields.reason);
    const keys = deriveSessionKeys11(
      ...([rootOf(device), Buffer.from(device.keys.AppKey, "hex"), fields.joinNonce] as const),
      ...([device.joinEui as JoinEui, rjCount] as const),
    );
    expect(openKey(at.keks.network, message.SNwkSIntKey, "SNwkSIntKey")).toBe(hexOf(keys.sNwkSIntKey));
    expect(openKey(at.keks.application, message.AppSKey, "AppSKey")).toBe(hexOf(keys.appSKey));
  }
  expect(await code(rejoinReq(device, 1, 7, { TransactionID: 3 }))).toBe("JoinReqFailed rejoin/count-not-rising");
});

it("a 1.1 device joins: OptNeg, three network session keys, AppSKey from its AppKey (LoRaWAN 1.1 §6.2)", async () => {
  const device = await create(newDevice("1.1"));
  const { message } = await ask(
    joinReq(device, 0, { ProtocolVersion: "1.1", MACVersion: "1.1.0", SenderID: `0x${netIds.ours}` }),
  );
  const { joinNonce, dlSettings } = acceptOf(device, message.PHYPayload);
  expect(dlSettings.optNeg).toBe(true);
  const keys = deriveSessionKeys11(
    rootOf(device),
    Buffer.from(device.keys.AppKey, "hex"),
    joinNonce,
    device.joinEui as JoinEui,
    0,
  );
  expect(openKey(at.keks.network, message.FNwkSIntKey, "FNwkSIntKey")).toBe(hexOf(keys.fNwkSIntKey));
  expect(openKey(at.keks.network, message.SNwkSIntKey, "SNwkSIntKey")).toBe(hexOf(keys.sNwkSIntKey));
  expect(openKey(at.keks.network, message.NwkSEncKey, "NwkSEncKey")).toBe(hexOf(keys.nwkSEncKey));
  expect(openKey(at.keks.application, message.AppSKey, "AppSKey")).toBe(hexOf(keys.appSKey));
  expect(message.NwkSKey).toBeUndefined();
});

it("JoinNonce rises with each join of a device (TS001-1.0.4 §6.2.6)", async () => {
  const device = await create(newDevice("1.0.2"));
  const nonces: number[] = [];
  for (const devNonce of [900, 3, 65_535])
    nonces.push(acceptOf(device, (await ask(joinReq(device, devNonce))).message.PHYPayload).joinNonce);
  expect(nonces).toEqual([1, 2, 3]);
});

it("the whole DevNonce history counts, in random order and in every version (TS001-1.0.4 §6.2.5)", async () => {
  const random = await create(newDevice("1.0.3"));
  for (const devNonce of [500, 2, 40_000]) expect(await code(joinReq(random, devNonce))).toBe("Success");
  for (const devNonce of [500, 2, 40_000])
    expect(await code(joinReq(random, devNonce))).toBe("JoinReqFailed join/dev-nonce-reused");
  const counter = await create(newDevice("1.0.4"));
  expect(await code(joinReq(counter, 10))).toBe("Success");
  expect(await code(joinReq(counter, 9))).toBe("JoinReqFailed join/dev-nonce-not-rising");
  expect(await code(joinReq(counter, 11))).toBe("Success");
});

it("a repeated identical request of the same peer gets the same answer; any difference is refused", async () => {
  const device = await create(newDevice("1.0.4"));
  const request = joinReq(device, 1);
  const first = await at.post("ours", request);
  expect(understood(first).code).toBe("Success");
  expect(await at.post("ours", request)).toEqual(first);
  // The same request in another spelling is the same request.
  expect(await at.post("ours", { ...request, DevEUI: `0x${device.devEui.toUpperCase()}` })).toEqual(first);
  for (const change of [
    { TransactionID: 1_000_000 },
    { DevAddr: "26011bdb" },
    { RxDelay: 2 },
    { SenderToken: "1" },
    { CFList: "00".repeat(16) },
  ])
    expect(await code({ ...request, ...change })).toBe("JoinReqFailed join/dev-nonce-reused");
  expect(understood(await at.post("theirs", request)).code).toBe("UnknownSender");
});

it("an earlier answer is not given again after a later join", async () => {
  const device = await create(newDevice("1.0.2"));
  const request = joinReq(device, 1);
  await ask(request);
  await ask(joinReq(device, 2));
  expect(await code(request)).toBe("JoinReqFailed join/dev-nonce-reused");
});

it("of many requests with one DevNonce at the same time one wins, and identical ones get one answer", async () => {
  const device = await create(newDevice("1.0.4"));
  const different = await Promise.all(
    Array.from({ length: 12 }, (_, i) => code(joinReq(device, 1, { DevAddr: `2601000${i.toString(16)}` }))),
  );
  expect(different.filter((result) => result === "Success")).toHaveLength(1);
  expect(different.filter((result) => result === "JoinReqFailed join/dev-nonce-reused")).toHaveLength(11);
  const request = joinReq(device, 2);
  const same = await Promise.all(Array.from({ length: 12 }, () => at.post("ours", request)));
  expect(new Set(same.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(understood(same[0] as Answer).code).toBe("Success");
});

it("a wrong MIC is MICFailed, and uses up neither DevNonce nor JoinNonce", async () => {
  const device = await create(newDevice("1.0.4"));
  const PHYPayload = joinRequest(device, 1, Buffer.alloc(16, 1));
  expect(await code(joinReq(device, 1, { PHYPayload }))).toBe("MICFailed join/mic-failed");
  expect(acceptOf(device, (await ask(joinReq(device, 1))).message.PHYPayload).joinNonce).toBe(1);
});

it("a valid certificate that asks for another network's device gets UnknownDevEUI, as for one that there is not, and an audit entry", async () => {
  const device = await create(newDevice("1.0.4", netIds.theirs));
  const foreign = understood(await at.post("ours", joinReq(device, 1, { SenderID: netIds.ours })));
  const nobodys = { ...newDevice("1.0.4"), joinEui: "0000000000000001" };
  const unknown = await ask(joinReq(nobodys, 1));
  expect([foreign.code, foreign.description]).toEqual(["UnknownDevEUI", "join/unknown-device"]);
  expect([unknown.code, unknown.description]).toEqual(["UnknownDevEUI", "join/unknown-device"]);
  await poll(() => audit("join/foreign-device")).toMatchObject([
    { devEui: device.devEui, detail: { peer: "ours", fingerprint: at.spkis.ours } },
  ]);
  // Nothing was claimed: its own network still joins it with the same DevNonce.
  const own = understood(await at.post("theirs", joinReq(device, 1)));
  expect([own.code, own.message.NwkSKey?.kekLabel]).toEqual(["Success", "ns/600021"]);
});

it("a SenderID that the certificate does not speak for is UnknownSender, and an audit entry", async () => {
  const device = await create(newDevice("1.0.4", netIds.theirs));
  expect(await code(joinReq(device, 1, { SenderID: netIds.theirs }))).toBe("UnknownSender join/unknown-sender");
  await poll(() => audit("interop/unknown-sender")).toContainEqual(
    expect.objectContaining({ detail: expect.objectContaining({ peer: "ours", senderId: netIds.theirs }) }),
  );
});

it("a certificate of the same CA that nobody named is not even heard", async () => {
  await expect(at.post("stranger", joinReq(newDevice("1.0.4"), 1))).rejects.toThrow();
});

it.each<[string, (device: TestDevice) => object | string, string]>([
  [
    "another ReceiverID",
    (device) => joinReq(device, 1, { ReceiverID: "70b3d57ed0000099" }),
    "UnknownReceiver join/unknown-receiver",
  ],
  [
    "another JoinEUI in frame and ReceiverID",
    (device) => joinReq({ ...device, joinEui: "70b3d57ed0000099" }, 1),
    "UnknownDevEUI join/unknown-device",
  ],
  [
    "a DevEUI that is not the frame's",
    (device) => joinReq(device, 1, { DevEUI: "0000000000000001" }),
    "MalformedRequest join/malformed",
  ],
  [
    "a frame that is no join-request",
    (device) => joinReq(device, 1, { PHYPayload: "40".repeat(23) }),
    "MalformedRequest join/malformed",
  ],
  ["an empty frame", (device) => joinReq(device, 1, { PHYPayload: "" }), "MalformedRequest join/malformed"],
  [
    "a version of TS002 that is not spoken",
    (device) => joinReq(device, 1, { ProtocolVersion: "3.0" }),
    "InvalidProtocolVersion join/protocol-version",
  ],
  [
    "another MACVersion than the device's",
    (device) => joinReq(device, 1, { MACVersion: "1.1" }),
    "JoinReqFailed join/version",
  ],
  ["no MessageType", (device) => joinReq(device, 1, { MessageType: undefined }), "MalformedRequest join/malformed"],
  ["no JSON", () => "{", "MalformedRequest join/malformed"],
  ["nothing", () => "", "MalformedRequest join/malformed"],
])("a request with %s gets its result code, and the device still joins afterwards", async (_, request, expected) => {
  const device = await create(newDevice("1.0.4"));
  const { code: result, description } = understood(await at.post("ours", request(device)));
  expect(`${result} ${description}`).toBe(expected);
  expect(await code(joinReq(device, 1))).toBe("Success");
});

it("other paths and methods are refused without an answer of TS002; oversized and malformed bodies leave an audit entry", async () => {
  expect((await at.post("ours", "{}", { path: "/other" })).status).toBe(404);
  expect((await at.post("ours", "", { method: "GET" })).status).toBe(405);
  const tooLarge = await at.post("ours", "x".repeat(70_000));
  expect([tooLarge.status, understood(tooLarge).code]).toEqual([413, "MalformedRequest"]);
  await poll(async () => (await audit("interop/too-large")).length).toBe(1);
  expect(await audit("interop/malformed")).not.toEqual([]);
});

it("nonces, answers and devices survive a restart", async () => {
  const device = await create(newDevice("1.0.3"));
  const request = joinReq(device, 77);
  const answer = await at.post("ours", request);
  await at.stopServer();
  // The join-server's end of the pipe died with it: the supervisor starts a new vault, too.
  await at.killVault();
  await at.startVault();
  await at.startServer();
  expect(await at.post("ours", request)).toEqual(answer);
  expect(await code(joinReq(device, 77))).toBe("JoinReqFailed join/dev-nonce-reused");
  expect(acceptOf(device, (await ask(joinReq(device, 78))).message.PHYPayload).joinNonce).toBe(2);
});

it("without its vault a join fails closed and claims nothing; with the next vault it goes on by itself", async () => {
  const device = await create(newDevice("1.0.4"));
  await at.killVault();
  await until(async () => (await at.http("/readyz")).includes("the vault is not connected"));
  const answer = await at.post("ours", joinReq(device, 1));
  expect([answer.status, understood(answer).code, understood(answer).description]).toEqual([
    503,
    "Other",
    "join/vault-unavailable",
  ]);
  expect((await at.admin("GET", "/vault")).status).toBe(503);
  await at.startVault();
  expect(await code(joinReq(device, 1))).toBe("Success");
  expect(await at.http("/readyz")).toBe("ready\n");
});

it("a peer whose statement has a url gets its answer there, by a POST of our own, and nobody else does (TS002-1.0.0 §7.2)", async () => {
  const got: string[] = [];
  const listener = await listenHttps<string>(
    { ...at.network.station("join-server"), tls: at.certificates.theirs },
    {
      address: { host: "127.0.0.1", port: 0 },
      callerOf: (fingerprint) => (fingerprint === at.network.pins["join-server"] ? "join server" : undefined),
      handler: async ({ body }) => {
        got.push(body);
        return { status: 200 };
      },
    },
  );
  const peer = {
    kind: "peer",
    name: "theirs",
    certificate: at.spkis.theirs,
    network: { netId: netIds.theirs },
  } as const;
  await at.sayAll({ ...peer, url: `https://127.0.0.1:${listener.address.port}/`, appSKey: "app-s-key-req" });
  const device = await create(newDevice("1.0.4", netIds.theirs));
  const request = joinReq(device, 1);
  expect(await at.post("theirs", request)).toEqual({ status: 202, body: null });
  await poll(() => got.length).toBe(1);
  const { code: result, message } = understood({ status: 200, body: JSON.parse(got[0] ?? "") });
  expect([result, message.TransactionID, message.ReceiverID]).toEqual([
    "Success",
    request.TransactionID,
    netIds.theirs,
  ]);
  expect([message.NwkSKey?.kekLabel, message.AppSKey]).toEqual(["ns/600021", undefined]);
  await at.sayAll(peer);
  await listener.close();
});

it("every outcome since the start is counted", async () => {
  const metrics = await at.http("/metrics");
  for (const outcome of ["join/accepted", "join/repeated", "join/dev-nonce-reused", "join/vault-unavailable"])
    expect(metrics).toMatch(new RegExp(`trefoil_joins_total\\{outcome="${outcome}"\\} [1-9]`));
});

it("neither its files nor its logs nor its answers hold a root key or session key in the clear", async () => {
  const device = await create(newDevice("1.0.4"));
  const answer = await at.post("ours", joinReq(device, 1));
  const { joinNonce } = acceptOf(device, understood(answer).message.PHYPayload);
  const session = deriveSessionKeys10(rootOf(device), joinNonce, netIds.ours as NetId, 1);
  const kek = at.keks.network?.key.expose((octets) => Buffer.from(octets)) ?? Buffer.alloc(0);
  const envelope = Buffer.from(understood(answer).message.NwkSKey?.aesKey ?? "", "hex");
  const files = readdirSync(at.dataDir).filter((name) => name !== "admin.sock");
  const everything = Buffer.concat([
    ...files.map((name) => readFileSync(join(at.dataDir, name))),
    Buffer.from(JSON.stringify([answer, at.lines()])),
  ]);
  const forms = (key: Uint8Array) =>
    (["latin1", "hex", "base64", "base64url"] as const).map((form) => Buffer.from(key).toString(form));
  for (const secret of [rootOf(device), session.nwkSKey, session.appSKey, kek])
    for (const form of forms(secret)) expect(everything.includes(form, 0, "latin1")).toBe(false);
  // The search finds what is there.
  expect(forms(envelope).some((form) => everything.includes(form, 0, "latin1"))).toBe(true);
});
