/** The realm owner's commands on a whole network: what init signed, rotation of KEKs, devices that leave for another network and come back. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { StatementRow } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Alone, addPeer, join_, makeJoiningDevice, makeKeks, type Peer, startAlone } from "./alone.ts";
import { createApplication } from "./kit.ts";

let net: Alone;
/** The realm's own network server, played with the key and certificate that it really has. */
let own: Peer;
beforeAll(async () => {
  net = await startAlone({}, "network");
  const read = (name: string) => readFileSync(join(net.dataDir, "network-server", name), "utf8");
  own = { netId: "000000", key: read("tls.key"), cert: read("tls.crt") };
  await createApplication(net, "garden");
}, 120_000);
afterAll(() => net?.close());

const create = async (id: string) => {
  const device = makeJoiningDevice();
  await net.say(
    ["device", "create", id, "--application", "garden", "--dev-eui", device.devEui, "--join-eui", device.joinEui],
    device.appKey.toString("hex"),
  );
  return device;
};
const codeOf = async (peer: Peer, device: Parameters<typeof join_>[2], devNonce: number) =>
  (await join_(net, peer, device, devNonce)).Result.ResultCode;

test("init signed what an ordinary device needs: KEKs and peers of both servers, every JoinEUI theirs; no more signature is needed", async () => {
  const { standing, waiting } = await net.say<{ standing: StatementRow[]; waiting: number }>(["statements", "list"]);
  expect(standing.map(({ kind, subject }) => `${kind}: ${subject}`).sort()).toEqual([
    "assignment: JoinEUIs 0000000000000000 to ffffffffffffffff",
    "kek: AS-ID trefoil-as",
    "kek: network 000000",
    "peer: peer application-server",
    "peer: peer network-server",
  ]);
  expect(waiting).toBe(0);
  expect(await codeOf(own, await create("ordinary"), 1)).toBe("Success");
});

test("the servers that make KEKs have the pinned vault's key beside them", async () => {
  const { publicKey } = await net.say<{ publicKey: string }>(["vault", "key"]);
  for (const role of ["network-server", "application-server"])
    expect(readFileSync(join(net.dataDir, role, "vault.pub"), "utf8")).toBe(`${publicKey}\n`);
});

test("a rotated KEK is used from the next join on; with an overlap the former one until then", async () => {
  const device = await create("rotation");
  const before = (await join_(net, own, device, 1)).NwkSKey?.KEKLabel;
  const { label } = await net.say<{ label: string }>(["kek", "rotate", "network-server"]);
  expect(label).not.toBe(before);
  const after = await join_(net, own, device, 2);
  expect(after.NwkSKey?.KEKLabel).toBe(label);
  await net.say(["kek", "rotate", "application-server", "--overlap", "7d"]);
  expect((await join_(net, own, device, 3)).AppSKey?.KEKLabel).toBe(after.AppSKey?.KEKLabel);
  expect(await net.refused(["kek", "rotate", "gateway-server"])).toBe("input/server");
});

test("a device moves from the own network to another one and back: each time only the network of the day gets an answer", async () => {
  const device = await create("traveller");
  const public_ = await addPeer(net, "public", "600021", "public-as");
  await makeKeks(net, public_, "public-as");
  expect(await codeOf(own, device, 1)).toBe("Success");
  await net.say(["device", "move", device.devEui, "--to", "public", "--application-server", "home"]);
  expect(await codeOf(own, device, 2)).toBe("UnknownDevEUI");
  const there = await join_(net, public_, device, 3);
  expect(there.Result.ResultCode).toBe("Success");
  expect(there.AppSKey?.KEKLabel).toMatch(/^as\/trefoil-as/); // frames go there, the data stays here
  await net.say(["device", "move", device.devEui, "--to", "home"]);
  expect(await codeOf(public_, device, 4)).toBe("UnknownDevEUI");
  expect(await codeOf(own, device, 5)).toBe("Success");
});

test("a Join Server alone and a network do not take each other's folders", async () => {
  await net.network.stop();
  expect(await net.refused(["join-server"])).toBe("data/other-deployment");
  await net.restart();
});
