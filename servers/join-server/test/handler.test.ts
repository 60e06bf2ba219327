/** Whatever a peer with a valid certificate sends ends as an outcome: nothing throws, no more is told than the code, strangers cost nothing. */
import { parseMessage } from "@trefoil/backend-interfaces";
import { openEnvelope } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import { afterAll, beforeAll, expect, it } from "vitest";
import { outcomes } from "../src/outcomes.ts";
import { appSKeyReq, homeNsReq, joinReq, netIds, newDevice, rejoinReq } from "./frames.ts";
import { type From, type Handler, makeHandler, resultOf } from "./handler.ts";
import { poll } from "./poll.ts";

const devices = Array.from({ length: 24 }, (_, i) => newDevice(i % 2 === 0 ? "1.1" : "1.0.3"));
const foreign = newDevice("1.0.3", netIds.theirs);
let at: Handler;
beforeAll(async () => {
  at = await makeHandler([...devices, foreign]);
});
afterAll(() => at.end());
const unused = devices.filter(({ macVersion }) => macVersion === "1.1");
const device11 = () => unused.pop() ?? expect.unreachable();
const ask = async (from: From, body: unknown) => resultOf(await at.post(from, body));
const answered = async (from: From, body: unknown) => {
  const parsed = parseMessage(JSON.parse((await at.post(from, body)).json ?? ""));
  return parsed.result === "parsed" ? (parsed.message as unknown as { [name: string]: unknown }) : expect.unreachable();
};
const rows = (kind: string) => at.audit.list(0, 10_000).filter((row) => row.kind === kind);

it("a device of another network is unknown to whoever asks, costs no nonce and no question to the vault, and is in the audit trail", async () => {
  const before = at.vault.asked;
  expect(await ask("ours", joinReq(foreign, 1, { SenderID: netIds.ours }))).toBe("UnknownDevEUI join/unknown-device");
  const unknown = { ...newDevice("1.0.3"), joinEui: "0000000000000000" };
  expect(await ask("ours", joinReq(unknown, 1))).toBe("UnknownDevEUI join/unknown-device");
  expect(at.vault.asked).toBe(before);
  expect(at.registry.byDevEui(foreign.devEui)).toMatchObject({ lastDevNonce: -1, lastJoinNonce: 0 });
  await poll(() => rows("join/foreign-device")).toMatchObject([{ devEui: foreign.devEui, detail: { peer: "ours" } }]);
  expect(await ask("theirs", joinReq(foreign, 1))).toBe("Success");
});

it("what the certificate does not name is an UnknownSender, with an audit entry (TS002-1.0.0 §8.3)", async () => {
  const device = device11();
  expect(await ask("theirs", joinReq(device, 1))).toBe("UnknownSender join/unknown-sender");
  expect(await ask("as", joinReq(device, 1))).toBe("UnknownSender join/unknown-sender");
  expect(await ask("as", { ...joinReq(device, 1), SenderID: "trefoil-as" })).toBe("UnknownSender join/unknown-sender");
  expect(await ask("ours", appSKeyReq(device, "00"))).toBe("UnknownSender join/unknown-sender");
  const asNetwork = appSKeyReq(device, "00", { SenderID: netIds.ours });
  expect(await ask("ours", asNetwork)).toBe("UnknownSender join/unknown-sender");
  expect(await ask("as", appSKeyReq(device, "00", { SenderID: "their-as" }))).toBe("UnknownSender join/unknown-sender");
  await poll(() => rows("interop/unknown-sender").length).toBeGreaterThan(2);
});

it("the AppSKey goes to the application server that asks for it: the network relays the SessionKeyID alone (TS002-1.0.0 §9)", async () => {
  const device = device11();
  expect(await at.post("later", joinReq(device, 1))).toEqual({ status: 202 });
  const joined = JSON.parse(at.posted.at(-1) ?? "");
  expect(joined.AppSKey).toBeUndefined();
  const given = await answered("as", appSKeyReq(device, joined.SessionKeyID));
  expect(given).toMatchObject({ MessageType: "AppSKeyAns", DevEUI: device.devEui, SessionKeyID: joined.SessionKeyID });
  expect(openEnvelope(at.keks.application, given.AppSKey, "AppSKey").result).toBe("opened");
  expect(openEnvelope(at.keks.network, given.AppSKey, "AppSKey").result).toBe("refused");
  expect(await ask("as", appSKeyReq(device, "ttn-lw-interop-generated:x"))).toBe("Other app-s-key/unknown-session");
});

it("another application server's session is an unknown device, also after the device moved", async () => {
  const device = device11();
  expect(await ask("as", appSKeyReq(foreign, "00"))).toBe("UnknownDevEUI join/unknown-device");
  const { SessionKeyID } = await answered("ours", joinReq(device, 1));
  const { devEui, joinEui } = device;
  const move = (issuedAt: number, asId: string) =>
    at.standing.take({
      ...{ version: 1, vault: "", issuedAt, kind: "assignment", devices: [{ devEui, joinEui }] },
      ...{ network: { netId: netIds.ours }, asId },
    });
  move(2, "their-as");
  expect(await ask("as", appSKeyReq(device, SessionKeyID as string))).toBe("UnknownDevEUI join/unknown-device");
  // The new one gets keys from its first join on: the former session's AppSKey was wrapped for another.
  const byNew = appSKeyReq(device, SessionKeyID as string, { SenderID: "their-as" });
  expect(await ask("otherAs", byNew)).toBe("UnknownDevEUI join/unknown-device");
  move(3, "trefoil-as");
  expect(await ask("as", appSKeyReq(device, SessionKeyID as string))).toBe("Success");
  await poll(() => rows("session/foreign").length).toBe(3);
});

it("HomeNSReq tells the network that a device is assigned to, with HNSID in 1.1 (TS002 §10)", async () => {
  const device = device11();
  expect(await answered("theirs", homeNsReq(device, { SenderID: netIds.theirs }))).toMatchObject({
    MessageType: "HomeNSAns",
    HNetID: netIds.ours,
  });
  const nsId = "70b3d57ed0000abc";
  const { devEui, joinEui } = device;
  at.standing.take({
    ...{ version: 1, vault: "", issuedAt: 2, kind: "assignment", devices: [{ devEui, joinEui }] },
    ...{ network: { netId: "000000", nsId }, asId: "x" },
  });
  const from11 = { SenderID: netIds.theirs, ProtocolVersion: "1.1" };
  expect(await answered("theirs", homeNsReq(device, from11))).toMatchObject({ HNetID: "000000", HNSID: nsId });
  expect(await answered("theirs", homeNsReq(device, { SenderID: netIds.theirs }))).not.toHaveProperty("HNSID");
  expect(await ask("ours", homeNsReq({ ...device, devEui: "ff".repeat(8) }))).toBe("UnknownDevEUI join/unknown-device");
});

it("rejoins of all types get new keys; RJcount1 rises for ever, a frame of type 0 or 2 is answered once (LoRaWAN 1.1 §6.2.4)", async () => {
  const device = device11();
  const old = devices[1] ?? expect.unreachable();
  await ask("ours", joinReq(device, 1));
  const first = rejoinReq(device, 0, 0);
  expect(await answered("ours", first)).toMatchObject({ MessageType: "RejoinAns", Result: { code: "Success" } });
  expect(await ask("ours", first)).toBe("Success");
  expect(await ask("ours", { ...first, TransactionID: 1 })).toBe("JoinReqFailed rejoin/replayed");
  expect(await ask("ours", rejoinReq(device, 2, 1))).toBe("Success");
  expect(await ask("ours", rejoinReq(device, 1, 5))).toBe("Success");
  expect(await ask("ours", rejoinReq(device, 1, 5))).toBe("JoinReqFailed rejoin/count-not-rising");
  expect(await ask("ours", joinReq(device, 2))).toBe("Success");
  expect(await ask("ours", rejoinReq(device, 1, 4))).toBe("JoinReqFailed rejoin/count-not-rising");
  expect(at.registry.byDevEui(device.devEui)).toMatchObject({ lastJoinNonce: 5, rjCount0: -1, rjCount1: 5 });
  expect(await ask("ours", rejoinReq(old, 0, 0))).toBe("JoinReqFailed join/version");
  const elsewhere = rejoinReq({ ...device, netId: netIds.theirs }, 0, 9, { SenderID: netIds.ours });
  expect(await ask("ours", elsewhere)).toBe("JoinReqFailed rejoin/other-network");
  expect(
    await ask("ours", rejoinReq(device, 1, 9, { PHYPayload: rejoinReq(device, 1, 9).PHYPayload.replace(/..$/, "00") })),
  ).toMatch(/^MICFailed/);
});

it("a repeated request gets the same answer of the same certificate alone (DESIGN §4)", async () => {
  const device = device11();
  const request = joinReq(device, 1);
  const first = await at.post("ours", request);
  expect(await at.post("ours", request)).toEqual(first);
  // Another certificate of the same network.
  await at.post("later", request);
  expect(resultOf({ json: at.posted.at(-1) ?? "" })).toBe("JoinReqFailed join/dev-nonce-reused");
});

it.each(["PRStart", "PRStop", "HRStart", "HRStop", "Profile", "XmitData", "XmitLoc"])(
  "%sReq is not a join server's business: an answer of its type says so",
  async (stem) => {
    const asked = { ...joinReq(newDevice("1.1"), 1), MessageType: `${stem}Req` };
    expect(await answered("ours", asked)).toMatchObject({
      MessageType: `${stem}Ans`,
      TransactionID: asked.TransactionID,
      Result: { code: "NoRoamingAgreement" },
    });
  },
);

it("an answer that nobody asked for, and a notification, are acknowledged, kept in the audit trail, and not answered", async () => {
  const device = device11();
  const unasked = { ...joinReq(device, 1), MessageType: "JoinAns", Result: { ResultCode: "Success" } };
  const notice = { ...joinReq(device, 1), MessageType: "ErrorNotif", Result: { ResultCode: "MICFailed" } };
  expect(await at.post("ours", unasked)).toEqual({ status: 204 });
  expect(await at.post("ours", notice)).toEqual({ status: 204 });
  await poll(() => rows("interop/unasked-answer").length).toBe(1);
  await poll(() => rows("interop/error-notified")).toMatchObject([
    { devEui: device.devEui, detail: { detail: "MICFailed" } },
  ]);
});

it("limits of device, JoinEUI and peer are answered before any work, counted, and written down once", async () => {
  const limited = Array.from({ length: 3 }, () => newDevice("1.0.3"));
  const [a, b, c] = limited as [(typeof limited)[0], (typeof limited)[0], (typeof limited)[0]];
  const few = await makeHandler(limited, { limits: { devicePerMinute: 2, joinEuiPerSecond: 4, peerPerSecond: 6 } });
  const results: string[] = [];
  for (const [device, nonce] of [
    [a, 1],
    [a, 2],
    [a, 3],
    [b, 1],
    [c, 1],
    [c, 2],
    [c, 3],
  ] as const)
    results.push(resultOf(await few.post("ours", joinReq(device, nonce))));
  const refused = "ActivationDisallowed join/limited";
  expect(results).toEqual(["Success", "Success", refused, "Success", refused, refused, refused]);
  expect(few.vault.asked).toBe(3);
  expect(resultOf(await few.post("ours", homeNsReq(a)))).toBe("Other interop/limited");
  await poll(() => few.audit.list(0, 100).filter(({ kind }) => kind === "interop/limited").length).toBe(4);
  await few.end();
});

it.each([
  ["vault/timeout", "join/vault-unavailable", 503],
  ["join/blob-refused", "join/blob-refused", 200],
  ["join/no-network-kek", "join/no-network-kek", 200],
  ["join/not-assigned", "join/unknown-device", 200],
  ["join/surprise", "join/vault-refused", 200],
] as const)("the vault's %s: the peer learns a code and no more", async (code, told, status) => {
  const device = newDevice("1.0.3");
  const join = async () => {
    if (code === "vault/timeout") throw new Fault(code, "secret circumstances");
    return { result: "refused", code } as const;
  };
  const it = await makeHandler([device], { change: { vault: { join, rejoin: join } } });
  const answer = await it.post("ours", joinReq(device, 1));
  expect([resultOf(answer), answer.status]).toEqual([`${outcomes[told].code} ${told}`, status]);
  expect(it.registry.byDevEui(device.devEui)).toMatchObject({ lastDevNonce: -1 });
  await it.end();
});

it("a bug in a port is not told to the peer as an outcome: it goes up to the edge", async () => {
  const device = newDevice("1.0.3");
  const join = () => Promise.reject(new TypeError("bug"));
  const it = await makeHandler([device], { change: { vault: { join, rejoin: join } } });
  await expect(it.post("ours", joinReq(device, 1))).rejects.toThrow(TypeError);
  await it.end();
});

it("UnknownReceiver is spelt, and InvalidProtocolVersion answered, as the peer's version of TS002 has it (TS002-1.0.0 §8.3)", async () => {
  const device = device11();
  const misaddressed = (ProtocolVersion: string) =>
    ask("ours", joinReq(device, 1, { ProtocolVersion, ReceiverID: "00".repeat(8) }));
  expect(await misaddressed("1.0")).toBe("UnkownReceiver join/unknown-receiver");
  expect(await misaddressed("1.1.1")).toBe("UnknownReceiver join/unknown-receiver");
  expect(await answered("ours", joinReq(device, 1, { ProtocolVersion: "2.0" }))).toMatchObject({
    ProtocolVersion: "1.1",
    Result: { code: "InvalidProtocolVersion" },
  });
});

it("too large a body gets an answer that is well formed", () => {
  const { status, json } = at.tooLarge("ours");
  expect([status, resultOf({ json: json ?? "" })]).toEqual([413, "MalformedRequest interop/too-large"]);
});
