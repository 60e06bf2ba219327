import { makeOpener } from "@trefoil/custody";
import { type InProcess, startInProcess } from "@trefoil/service/testing";
import type { SealedKeys } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkServer } from "../src/index.ts";
import { hex } from "./device.ts";
import { appKey, kek, makeWorld, reception, rootKey, until, vault, type World } from "./world.ts";

let world: World;
let server: InProcess;
async function start() {
  server = await startInProcess(networkServer, world.boot);
  await world.connectGateway(server.listeners.link as { host: string; port: number });
}
beforeAll(async () => {
  world = await makeWorld();
  await start();
});
afterAll(async () => {
  await server.stop();
  await world.end();
});

async function joins(devEui: string) {
  const device = await world.register("1.1", devEui);
  const before = world.transmits.length;
  await world.hear(reception(device.joinRequest(rootKey, 1)));
  const { phyPayload } = await until(() => world.transmits[before]);
  expect(device.accept(Buffer.from(phyPayload, "base64"), rootKey, appKey, 1)).toBeDefined();
  await world.hear(reception(device.uplink({ payload: hex("01") })));
}

test("POST /kek: a new KEK, sealed to the pinned vault alone; envelopes open under the former and the new one, also after a restart", async () => {
  const made = await world.admin<{ label: string; kek: SealedKeys }>("POST", "/kek", {});
  expect(made.label).toBe("ns/000000/2");
  await joins("0000000000000501"); // The vault still uses the former.
  const opened = makeOpener(vault.privateKey).open(made.kek);
  const [key] = opened.result === "opened" ? opened.keys : [];
  if (!key) throw new Error("not sealed to the vault");
  const next = { label: made.label, key: key.key as typeof kek.key };
  world.joinServer.wrapUnder(next);
  await joins("0000000000000502");
  await server.stop();
  await start();
  await joins("0000000000000503");
  world.joinServer.wrapUnder(kek);
  await joins("0000000000000504");
});
