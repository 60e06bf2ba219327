/** Administration over the unix socket: imports, deletions, resets, statements. */
import { makeOwnerKey, openOwnerKey } from "@trefoil/custody";
import { decodeJoinAcceptFields, decryptJoinAccept } from "@trefoil/lorawan";
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinReq, netIds, newDevice, rejoinReq, rootOf, type TestDevice } from "./frames.ts";
import { poll } from "./poll.ts";
import { makeSetting, type Setting, understood } from "./setting.ts";

let at: Setting;
beforeAll(async () => {
  at = await makeSetting();
  await at.startVault();
  await at.startServer();
  await at.sayPeers();
  await at.sayKeks();
});
afterAll(() => at.end());

const results = async (rows: readonly unknown[]) =>
  (
    (await at.admin("POST", "/devices", rows)).body as { results: ({ ok: true } | { ok: false; code: string })[] }
  ).results.map((row) => (row.ok ? "ok" : row.code));
const joined = async (device: TestDevice, devNonce: number) => {
  const { code, description, message } = understood(await at.post("ours", joinReq(device, devNonce)));
  if (code !== "Success") return description;
  const fields = decodeJoinAcceptFields(
    decryptJoinAccept(rootOf(device), Buffer.from(message.PHYPayload ?? "", "hex"))?.fields ?? new Uint8Array(),
  );
  return "reason" in fields ? fields.reason : fields.joinNonce;
};

it("tells whom keys are sealed to", async () => {
  expect((await at.admin("GET", "/vault")).body).toEqual(at.vaultInfo);
  expect((await at.admin("GET", "/status")).body).toMatchObject({
    role: "join-server",
    facts: { vault: "software", peers: 3 },
  });
});

it("one bad row does not stop the rest, and each gets its own reason", async () => {
  const [good, other, changed, last] = [newDevice("1.0.4"), newDevice("1.0.4"), newDevice("1.0.4"), newDevice("1.1")];
  const rows = [
    at.row(good),
    at.row(good),
    { ...at.row(newDevice("1.0.4")), macVersion: "1.5" },
    at.row(newDevice("1.0.4"), { sealed: at.sealFor(other) }),
    at.row(changed, { sealed: { ...at.sealFor(changed), keys: at.sealFor(other, changed).keys } }),
    { ...at.row(newDevice("1.0.4")), macVersion: "1.1" },
    null,
    at.row(last),
  ];
  expect(await results(rows)).toEqual([
    "ok",
    "device/exists",
    "device/malformed",
    "import/other-device",
    "sealed/changed",
    "import/wrong-keys",
    "device/malformed",
    "ok",
  ]);
  expect(await results([at.row(last)])).toEqual(["device/exists"]);
  expect((await at.admin("POST", "/devices", { no: "list" })).status).toBe(400);
});

it("a list shows devices without any key; pages follow DevEUI", async () => {
  const device = newDevice("1.0.4");
  await results([at.row(device)]);
  const { devEui, joinEui } = device;
  const served = { network: { netId: netIds.ours }, asId: "trefoil-as" };
  expect((await at.admin("GET", `/devices/${devEui.toUpperCase()}`)).body).toEqual({
    devEui,
    joinEui,
    macVersion: "1.0.4",
    provenance: "unknown",
    ...served,
    lastJoinNonce: 0,
  });
  await joined(device, 3);
  const all = (await at.admin("GET", "/devices")).body as { devEui: string }[];
  expect(all.find((row) => row.devEui === devEui)).toEqual({
    devEui,
    joinEui,
    macVersion: "1.0.4",
    provenance: "unknown",
    ...served,
    lastJoinNonce: 1,
    lastDevNonce: 3,
  });
  const [first, second] = all;
  expect((await at.admin("GET", `/devices?after=${first?.devEui}&limit=1`)).body).toEqual([second]);
});

it("what was used elsewhere comes along: DevNonces stay used, JoinNonce goes on", async () => {
  const device = newDevice("1.0.2");
  await results([at.row(device, { usedDevNonces: [4, 9, 1_000], lastJoinNonce: 70_000 })]);
  expect(await joined(device, 9)).toBe("join/dev-nonce-reused");
  expect(await joined(device, 5)).toBe(70_001);
  const counter = newDevice("1.0.4");
  await results([at.row(counter, { usedDevNonces: [4, 9] })]);
  expect(await joined(counter, 8)).toBe("join/dev-nonce-not-rising");
  expect(await joined(counter, 10)).toBe(1);
});

it("a deleted device does not join; created again, it goes on with its nonces", async () => {
  const device = newDevice("1.0.3");
  await results([at.row(device)]);
  expect(await joined(device, 1)).toBe(1);
  expect(await at.admin("DELETE", `/devices/${device.devEui}`)).toEqual({ status: 200, body: {} });
  expect(await at.admin("DELETE", `/devices/${device.devEui}`)).toMatchObject({
    status: 404,
    body: { error: { code: "device/unknown" } },
  });
  expect(await joined(device, 2)).toBe("join/unknown-device");
  expect(await results([at.row(device)])).toEqual(["ok"]);
  expect(await joined(device, 1)).toBe("join/dev-nonce-reused");
  expect(await joined(device, 2)).toBe(2);
});

it("a reset of nonces needs a reason, is recorded for ever, and JoinNonce does not go back (TS001-1.0.4 §6.2.6)", async () => {
  const device = newDevice("1.0.4");
  await results([at.row(device)]);
  expect(await joined(device, 50)).toBe(1);
  for (const body of [{}, { reason: " " }, { reason: 5 }])
    expect(await at.admin("POST", `/devices/${device.devEui}/reset-nonces`, body)).toMatchObject({
      status: 400,
      body: { error: { code: "device/no-reason" } },
    });
  expect(await joined(device, 50)).toBe("join/dev-nonce-reused");
  expect((await at.admin("POST", `/devices/${device.devEui}/reset-nonces`, { reason: "new board" })).status).toBe(200);
  expect(await joined(device, 0)).toBe(2);
  const rows = (await at.admin("GET", "/audit")).body as { kind: string; devEui?: string }[];
  expect(rows.filter((row) => row.kind === "device/nonces-reset")).toMatchObject([
    { devEui: device.devEui, detail: { reason: "new board", lastDevNonce: 50, lastJoinNonce: 1 } },
  ]);
});

it("an import without its history starts where no other join server is likely to have come; counters of rejoins come along", async () => {
  const [imported, made, old] = [newDevice("1.0.4"), newDevice("1.0.4"), newDevice("1.1")];
  await results([
    at.row(imported, { origin: "file", usedDevNonces: [1, 2] }),
    at.row(made, { origin: "generated" }),
    at.row(old, { origin: "file", lastJoinNonce: 12, rjCount0: 3, rjCount1: 9 }),
  ]);
  expect(await joined(imported, 3)).toBe(65_536);
  expect(await joined(made, 3)).toBe(1);
  const { body } = await at.admin("GET", `/devices/${old.devEui}`);
  expect(body).toMatchObject({ provenance: "file", lastJoinNonce: 12, rjCount0: 3, rjCount1: 9 });
  const rejoined = understood(await at.post("ours", rejoinReq(old, 1, 9)));
  expect(rejoined.description).toBe("rejoin/count-not-rising");
  expect((await at.admin("GET", `/devices/${imported.devEui}/history`)).body).toEqual({
    usedDevNonces: [1, 2, 3],
    lastJoinNonce: 65_536,
  });
});

it("a statement that the owner did not sign, or for another vault, is refused, with an audit entry; those that stand are listed", async () => {
  const stranger = makeOwnerKey("x");
  const key = openOwnerKey(stranger.privateKeyPem, "x") ?? expect.unreachable();
  const saying = { kind: "assignment", joinEuis: { first: "0".repeat(16), last: "f".repeat(16) } } as const;
  expect(await at.admin("POST", "/statements", at.sign(saying, key))).toMatchObject({
    status: 409,
    body: { error: { code: "statement/not-signed-by-owner" } },
  });
  expect(await at.admin("POST", "/statements", at.sign(saying, at.ownerKey, "00".repeat(32)))).toMatchObject({
    body: { error: { code: "statement/other-vault" } },
  });
  expect((await at.admin("POST", "/statements", { hello: 1 })).status).toBe(409);
  const rows = async () => (await at.admin("GET", "/audit")).body as { kind: string }[];
  await poll(async () => (await rows()).filter(({ kind }) => kind === "statement/refused").length).toBe(3);
  expect((await rows()).filter(({ kind }) => kind === "statement/admitted")).toHaveLength(9);
  const listed = (await at.admin("GET", "/statements")).body as { subject: string; label?: string }[];
  expect(listed.map(({ subject, label }) => label ?? subject)).toEqual([
    ...["peer ours", "peer theirs", "peer application"],
    ...listed.slice(3, 6).map(({ subject }) => subject),
    ...["ns/000013", "ns/600021", "as/trefoil-as"],
  ]);
});

it("the exposure ledger shows how each key came; nothing in it is a key", async () => {
  const device = newDevice("1.1");
  await results([at.row(device, { origin: "typed" })]);
  const { body } = await at.admin("GET", "/exposure");
  const rows = (body as { devEui: string; role: string }[]).filter(({ devEui }) => devEui === device.devEui);
  expect(rows.map((row) => ({ ...row, devEui: "" })).sort((a, b) => (a.role < b.role ? -1 : 1))).toMatchObject([
    { role: "AppKey", provenance: "typed", exportedTo: [] },
    { role: "NwkKey", provenance: "typed", exportedTo: [] },
  ]);
  for (const key of Object.values(device.keys)) expect(JSON.stringify(body)).not.toContain(key);
});

it("a batch of some hundred devices goes through, and joins pass meanwhile", async () => {
  const device = newDevice("1.0.4");
  await results([at.row(device)]);
  const rows = Array.from({ length: 250 }, (_, i) => {
    const one = { ...newDevice("1.0.4"), devEui: (0xabc000 + i).toString(16).padStart(16, "0") };
    return at.row(one);
  });
  const [imported, nonce] = await Promise.all([results(rows), joined(device, 1)]);
  expect(imported.every((row) => row === "ok")).toBe(true);
  expect(nonce).toBe(1);
});
