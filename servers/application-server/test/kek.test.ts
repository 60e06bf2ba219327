/** KEKs in rotation, and what lies at rest under them. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type LabelledKek, makeOpener, wrapEnvelope } from "@trefoil/custody";
import type { InProcess, TestNetwork } from "@trefoil/service/testing";
import type { Address, NetworkEvent, SealedKeys } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  makeFolder,
  startServer,
  subscriber,
  textOf,
  until,
  vault,
} from "./harness.ts";

let network: TestNetwork;
let running: InProcess;
let ns: FakeNetworkServer;
async function start() {
  running = await startServer(network);
  const former = ns;
  ns = new FakeNetworkServer(network, running.listeners.link as Address);
  if (former !== undefined) ns.continue(former);
  await ns.up();
}
beforeAll(async () => {
  network = await makeFolder();
  await start();
});
afterAll(async () => {
  await running.stop();
  network.remove();
});

test("POST /kek: envelopes open under the former and the new KEK; what is at rest goes under the newest, and is read after a restart", async () => {
  const credentials = await createApplication(network, "parking");
  const [joined, personalised, fresh] = [new FakeDevice(1), new FakeDevice(2), new FakeDevice(3)];
  const rows = [joined.registration("parking"), personalised.abp("parking"), fresh.registration("parking")];
  await admin(network, "POST", "/devices", rows);
  await ns.send(joined.join(), joined.uplink("a"));

  const { body } = await admin(network, "POST", "/kek", {});
  const { label, kek } = body as { label: string; kek: SealedKeys };
  expect(label).toBe("as/test/2");
  const opened = makeOpener(vault.privateKey).open(kek);
  const [key] = opened.result === "opened" ? opened.keys : [];
  if (!key) throw new Error("not sealed to the vault");
  const next = { label, key: key.key } as LabelledKek;
  await ns.send({ ...fresh.join(), appSKey: wrapEnvelope(next, fresh.key) } as NetworkEvent, fresh.uplink("b"));
  await ns.send(joined.join()); // Still under the former.
  await running.stop();

  const folder = network.dataDir("application-server");
  expect(readdirSync(folder).filter((name) => name.endsWith(".key") && name.startsWith("kek"))).toEqual([
    "kek.2.key",
    "kek.key",
  ]);
  await start();
  const database = new DatabaseSync(join(folder, "store.sqlite"), { readOnly: true });
  expect(database.prepare("SELECT DISTINCT kek_label FROM session").all()).toEqual([{ kek_label: label }]);
  database.close();
  const client = await subscriber(running, credentials, "v3/+/devices/+/up");
  await ns.send(joined.uplink("c"), personalised.uplink("d"), fresh.uplink("e"));
  await until(() => client.messages.length === 3);
  expect(client.messages.map(textOf)).toEqual(["c", "d", "e"]);
  await client.end();
});
