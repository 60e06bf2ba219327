/**
 * docs/authority.md, as far as a join server, a peer or an application server may try: each has all the secrets that this party really has
 * (its certificate's key, its KEK, the administration socket of a join server that was taken over), and the real vault answers.
 */

import { makeOwnerKey, openOwnerKey } from "@trefoil/custody";
import { decodeJoinAcceptFields, decryptJoinAccept } from "@trefoil/lorawan";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  appSKeyReq,
  derivedKey,
  homeNsReq,
  joinEuis,
  joinReq,
  netIds,
  newDevice,
  rootOf,
  type TestDevice,
} from "./frames.ts";
import { poll } from "./poll.ts";
import { type From, makeSetting, openKey, type Setting, understood, until } from "./setting.ts";

let at: Setting;
beforeAll(async () => {
  at = await makeSetting();
  await at.startVault();
  await at.startServer();
  await at.sayPeers();
  await at.sayKeks();
});
afterAll(() => at.end());

const create = async (device: TestDevice): Promise<TestDevice> => {
  await at.admin("POST", "/devices", [at.row(device)]);
  return device;
};
const ask = async (from: From, request: object) => {
  const { code, description } = understood(await at.post(from, request));
  return description === undefined ? code : `${code} ${description}`;
};
const audit = async (kind: string) =>
  ((await at.admin("GET", "/audit")).body as { kind: string }[]).filter((row) => row.kind === kind);
const idOf = ({ devEui, joinEui }: TestDevice) => ({ devEui, joinEui });

it("without the owner's peer statement no certificate is heard, and a later statement changes that while the server runs", async () => {
  const device = await create(newDevice("1.0.4"));
  await expect(at.post("stranger", joinReq(device, 1))).rejects.toThrow();
  const { theirs: certificate } = at.spkis;
  const peer = { kind: "peer", name: "theirs", certificate, network: { netId: netIds.theirs } } as const;
  await at.sayAll({ ...peer, revoked: true });
  await expect(at.post("theirs", joinReq(newDevice("1.0.4", netIds.theirs), 1))).rejects.toThrow();
  await at.sayAll(peer);
  expect(await ask("theirs", joinReq(newDevice("1.0.4", netIds.theirs), 1))).toBe("UnknownDevEUI join/unknown-device");
  await poll(() => audit("interop/unknown-peer")).toContainEqual(
    expect.objectContaining({ detail: { reason: "link/not-pinned", fingerprint: certificate } }),
  );
});

it("a device moves by the owner's statement and nothing else: the next join goes to the new network, under its KEK (docs/authority.md)", async () => {
  const device = await create(newDevice("1.0.4"));
  const here = (devNonce: number) => joinReq(device, devNonce);
  const there = (devNonce: number) => joinReq(device, devNonce, { SenderID: netIds.theirs });
  expect(await ask("ours", here(1))).toBe("Success");
  expect(await ask("theirs", there(2))).toBe("UnknownDevEUI join/unknown-device");

  const forger = makeOwnerKey("x");
  const theirKey = openOwnerKey(forger.privateKeyPem, "x") ?? expect.unreachable();
  const move = {
    kind: "assignment",
    devices: [idOf(device)],
    network: { netId: netIds.theirs },
    asId: "trefoil-as",
  } as const;
  expect((await at.admin("POST", "/statements", at.sign(move, theirKey))).status).toBe(409);
  expect(await ask("theirs", there(2))).toBe("UnknownDevEUI join/unknown-device");

  await at.sayAll(move);
  expect(await ask("ours", here(3))).toBe("UnknownDevEUI join/unknown-device");
  const joined = understood(await at.post("theirs", there(3)));
  expect(joined.message.NwkSKey?.kekLabel).toBe("ns/600021");
  expect(() => openKey(at.keks.network, joined.message.NwkSKey, "NwkSKey")).toThrow();
  // Its JoinNonce went on: no touch on the device.
  const clear = decryptJoinAccept(rootOf(device), Buffer.from(joined.message.PHYPayload ?? "", "hex"));
  expect(decodeJoinAcceptFields(clear?.fields ?? new Uint8Array())).toMatchObject({
    joinNonce: 2,
    netId: netIds.theirs,
  });
});

it("an old statement of the owner, said again, moves nothing back", async () => {
  const device = await create(newDevice("1.0.4"));
  const to = (netId: string) =>
    at.sign({ kind: "assignment", devices: [idOf(device)], network: { netId }, asId: "trefoil-as" });
  const [first, second] = [to(netIds.ours), to(netIds.theirs)];
  expect((await at.admin("POST", "/statements", first)).status).toBe(200);
  expect((await at.admin("POST", "/statements", second)).status).toBe(200);
  expect(await at.admin("POST", "/statements", first)).toMatchObject({ body: { error: { code: "statement/older" } } });
  expect(await ask("ours", joinReq(device, 1))).toBe("UnknownDevEUI join/unknown-device");
});

it("nobody's device joins nowhere", async () => {
  const device = await create(newDevice("1.0.4"));
  await at.sayAll({ kind: "assignment", devices: [idOf(device)] });
  expect(await ask("ours", joinReq(device, 1))).toBe("UnknownDevEUI join/unknown-device");
});

it("the AppSKey goes to the AS-ID of the device alone: no network, and no other application server, gets or opens it", async () => {
  const device = await create(newDevice("1.1"));
  const { message } = understood(await at.post("ours", joinReq(device, 1)));
  const id = message.SessionKeyID ?? "";
  expect(() => openKey(at.keks.network, message.AppSKey, "AppSKey")).toThrow("envelope/unknown-label");
  expect(await ask("ours", appSKeyReq(device, id, { SenderID: netIds.ours }))).toBe(
    "UnknownSender join/unknown-sender",
  );
  expect(await ask("theirs", appSKeyReq(device, id))).toBe("UnknownSender join/unknown-sender");
  const given = understood(await at.post("application", appSKeyReq(device, id)));
  expect(openKey(at.keks.application, given.message.AppSKey, "AppSKey")).toMatch(/^[0-9a-f]{32}$/);
  await at.sayAll({ kind: "assignment", devices: [idOf(device)], network: { netId: netIds.ours }, asId: "their-as" });
  expect(await ask("application", appSKeyReq(device, id))).toBe("UnknownDevEUI join/unknown-device");
  await poll(async () => (await audit("session/foreign")).length).toBe(1);
});

it("devices of a master key's range join without registration, and are kept from their first join on", async () => {
  const derived = { ...newDevice("1.0.4"), joinEui: joinEuis.derived };
  expect(await ask("ours", joinReq(derived, 1))).toBe("UnknownDevEUI join/unknown-device");
  const master = "000102030405060708090a0b0c0d0e0f".repeat(2);
  const joinEuis_ = { first: "70b3d57ed0002000", last: "70b3d57ed0002fff" };
  await at.sayAll({
    ...({
      kind: "master-key",
      joinEuis: joinEuis_,
      kdf: "LORA-KDF-1",
      epoch: 1,
      extra: "",
      macVersion: "1.0.4",
    } as const),
    key: at.sealRole("MasterKey", master),
  });
  // Its root key is not the one that the test made up: the MIC says so, and nothing is kept of it.
  expect(await ask("ours", joinReq(derived, 1))).toBe("MICFailed join/mic-failed");
  expect((await at.admin("GET", `/devices/${derived.devEui}`)).status).toBe(404);

  const honest = { ...derived, keys: { AppKey: derivedKey(master, "AppKey", 1, derived) } };
  const { code, message } = understood(await at.post("ours", joinReq(honest, 1)));
  expect(code).toBe("Success");
  expect(openKey(at.keks.network, message.NwkSKey, "NwkSKey")).toMatch(/^[0-9a-f]{32}$/);
  expect((await at.admin("GET", `/devices/${derived.devEui}`)).body).toMatchObject({
    ...{ provenance: "derived", macVersion: "1.0.4", lastJoinNonce: 1, lastDevNonce: 1 },
  });
  expect(await ask("ours", joinReq(honest, 1))).toBe("JoinReqFailed join/dev-nonce-reused");
  // Deleted, it joins again by the statement, and goes on with its nonces.
  await at.admin("DELETE", `/devices/${derived.devEui}`);
  expect(await ask("ours", joinReq(honest, 1))).toBe("JoinReqFailed join/dev-nonce-reused");
  expect(await ask("ours", joinReq(honest, 2))).toBe("Success");
});

it("the vector of docs/sealed-key.md is what the tests derive with", () => {
  const device = { ...newDevice("1.1"), joinEui: "70b3d57ed0000001", devEui: "0011223344556677" };
  const master = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("hex");
  expect(derivedKey(master, "NwkKey", 1, device)).toBe("d2538062eca32956a868f96942414775");
  expect(derivedKey(master, "AppKey", 1, device)).toBe("bb612567fb887d9dcd416c5b2ae89b2d");
});

it("root keys leave for another vault by the owner's export statement alone", async () => {
  const device = await create(newDevice("1.0.4"));
  const other = await makeSetting();
  const asked = { devices: [idOf(device)], to: other.vaultInfo.fingerprint };
  expect(await at.admin("POST", "/exports", asked)).toMatchObject({
    status: 409,
    body: { error: { code: "export/not-stated" } },
  });
  await at.sayAll({ kind: "export", devices: [idOf(device)], to: other.vaultInfo.publicKey, until: 8e15 });
  const { status, body } = await at.admin("POST", "/exports", asked);
  expect(status).toBe(200);
  const [{ sealed } = expect.unreachable()] = (body as { devices: { sealed: { to: string } }[] }).devices;
  expect(sealed.to).toBe(other.vaultInfo.fingerprint);
  expect(JSON.stringify(body)).not.toContain(device.keys.AppKey);
  const notNamed = await create(newDevice("1.0.4"));
  expect((await at.admin("POST", "/exports", { ...asked, devices: [idOf(notNamed)] })).status).toBe(409);
  expect(await audit("device/exported")).toMatchObject([
    { devEui: device.devEui, detail: { to: other.vaultInfo.fingerprint } },
  ]);
  const rows = (await at.admin("GET", "/exposure")).body as { devEui: string; exportedTo: string[] }[];
  expect(rows.find(({ devEui }) => devEui === device.devEui)?.exportedTo).toEqual([other.vaultInfo.fingerprint]);
  await other.end();
});

it("HomeNSReq is answered to peers alone, and tells no more than the network", async () => {
  const device = await create(newDevice("1.0.4"));
  const { message } = understood(await at.post("theirs", homeNsReq(device, { SenderID: netIds.theirs })));
  expect(message).toMatchObject({ MessageType: "HomeNSAns", HNetID: netIds.ours });
  await expect(at.post("stranger", homeNsReq(device))).rejects.toThrow();
});

it("the owner's statements hold after a restart of both, and before the vault is there nobody is known", async () => {
  const device = await create(newDevice("1.0.4"));
  await at.stopServer();
  await at.killVault();
  await at.startServer();
  await until(async () => (await at.http("/readyz")).includes("the vault is not connected"));
  await expect(at.post("ours", joinReq(device, 1))).rejects.toThrow();
  expect((await at.admin("GET", "/statements")).status).toBe(503);
  await at.startVault();
  await at.ready();
  expect(await ask("ours", joinReq(device, 1))).toBe("Success");
});
