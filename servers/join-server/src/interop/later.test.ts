import type { HttpsRequest } from "@trefoil/service";
import { listenHttps } from "@trefoil/service";
import { makeStranger, makeTestNetwork, type TestNetwork } from "@trefoil/service/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { poll } from "../../test/poll.ts";
import type { Peer } from "../standing.ts";
import { answersLater, type Fate, type Later, type LaterOptions } from "./later.ts";

let network: TestNetwork;
const toClose: { close(): unknown }[] = [];
beforeAll(async () => {
  network = await makeTestNetwork("join-server");
});
afterAll(() => network.remove());
afterEach(async () => {
  for (const it of toClose.splice(0).reverse()) await it.close();
});

/** A network's server, with its own certificate, that takes answers. */
async function makePeer(statusOf: (nth: number) => number = () => 200) {
  const { tls, spki } = await makeStranger();
  const got: HttpsRequest<string>[] = [];
  const listener = await listenHttps<string>(
    { ...network.station("join-server"), tls },
    {
      address: { host: "127.0.0.1", port: 0 },
      callerOf: (fingerprint) => (fingerprint === network.pins["join-server"] ? "the join server" : undefined),
      handler: async (request) => {
        got.push(request);
        return { status: statusOf(got.length) };
      },
    },
  );
  toClose.push(listener);
  const url = `https://127.0.0.1:${listener.address.port}/interop?x=1`;
  const peer: Peer = { name: "n", fingerprint: spki, asksForAppSKey: false, url };
  return { peer, got };
}
const fates: Fate[] = [];
function sender(options: LaterOptions = {}): Later {
  fates.length = 0;
  const later = answersLater(network.station("join-server"), {
    delaysMs: [0, 1, 1],
    onFate: (fate) => fates.push(fate),
    ...options,
  });
  toClose.push(later);
  return later;
}

it("an answer goes to the url of the peer's statement, with our certificate (TS002-1.0.0 §7.2)", async () => {
  const { peer, got } = await makePeer();
  sender().post(peer, '{"MessageType":"JoinAns"}');
  await poll(() => fates).toEqual(["taken"]);
  expect(got).toMatchObject([
    { method: "POST", path: "/interop?x=1", body: '{"MessageType":"JoinAns"}', peer: "the join server" },
  ]);
});

it("it is tried a few times, and then lost: no other peer waits for it", async () => {
  const failing = await makePeer(() => 500);
  const late = await makePeer((nth) => (nth < 3 ? 503 : 200));
  const later = sender();
  later.post(failing.peer, "{}");
  later.post(late.peer, "{}");
  await poll(() => [...fates].sort()).toEqual(["lost", "taken"]);
  expect([failing.got.length, late.got.length]).toEqual([3, 3]);
});

it("whoever listens there without the key of the statement gets nothing", async () => {
  const { peer, got } = await makePeer();
  sender().post({ ...peer, fingerprint: "00".repeat(32) }, '{"secret":1}');
  await poll(() => fates).toEqual(["lost"]);
  expect(got).toEqual([]);
});

it("what waits for one peer is bounded", async () => {
  const { peer } = await makePeer(() => 500);
  const later = sender({ mostWaiting: 5, delaysMs: [0] });
  for (let i = 0; i < 30; i++) later.post(peer, "{}");
  await poll(() => fates.length).toBe(30);
  expect(fates.filter((fate) => fate === "overflow")).toHaveLength(30 - 8 - 5);
  expect(later.waiting).toBe(0);
});
