/** Administration over the unix socket: imports, deletions, resets, registrations. */
import { makeOwnerKey, openOwnerKey, signRegistration } from "@trefoil/custody";
import { decodeJoinAcceptFields, decryptJoinAccept } from "@trefoil/lorawan";
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinReq, makeSetting, newDevice, rootOf, type Setting, type TestDevice, understood } from "./setting.ts";

let at: Setting;
beforeAll(async () => {
  at = await makeSetting();
  await at.startVault();
  await at.startServer();
  await at.registerKeks();
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
  expect((await at.admin("GET", "/status")).body).toMatchObject({ role: "join-server", facts: { vault: "software" } });
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
  const { devEui, joinEui, netId } = device;
  expect((await at.admin("GET", `/devices/${devEui.toUpperCase()}`)).body).toEqual({
    devEui,
    joinEui,
    macVersion: "1.0.4",
    netId,
    asId: "trefoil-as",
    lastJoinNonce: 0,
  });
  await joined(device, 3);
  const all = (await at.admin("GET", "/devices")).body as { devEui: string }[];
  expect(all.find((row) => row.devEui === devEui)).toEqual({
    devEui,
    joinEui,
    macVersion: "1.0.4",
    netId,
    asId: "trefoil-as",
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

it("a registration that the owner did not sign is refused, with an audit entry; the registered ones are listed", async () => {
  const stranger = makeOwnerKey("x");
  const key = openOwnerKey(stranger.privateKeyPem, "x");
  const kek = at.sealFor(
    { ...newDevice("1.0.4"), keys: { KEK: "00".repeat(16) } as never },
    { joinEui: "0".repeat(16), devEui: "0".repeat(16) },
  );
  const signed = signRegistration(key as NonNullable<typeof key>, {
    version: 1,
    kind: "kek",
    label: "ns/000013",
    netId: "000013",
    kek,
    issuedAt: 9,
  });
  expect(await at.admin("POST", "/registrations", signed)).toMatchObject({
    status: 409,
    body: { error: { code: "registration/not-signed-by-owner" } },
  });
  expect((await at.admin("POST", "/registrations", { hello: 1 })).status).toBe(409);
  const rows = (await at.admin("GET", "/audit")).body as { kind: string }[];
  expect(rows.filter(({ kind }) => kind === "registration/refused")).toHaveLength(1);
  expect(rows.filter(({ kind }) => kind === "registration/accepted")).toHaveLength(3);
  expect((await at.admin("GET", "/registrations")).body).toEqual([
    { label: "as/trefoil-as", asId: "trefoil-as", issuedAt: 1 },
    { label: "ns/000013", netId: "000013", issuedAt: 1 },
    { label: "ns/600021", netId: "600021", issuedAt: 1 },
  ]);
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
