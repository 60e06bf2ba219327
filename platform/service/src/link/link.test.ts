import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { Fault } from "@trefoil/store";
import { frameKind, type Role } from "@trefoil/wire";
import Type from "typebox";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { issueCertificate, makeCa, makeServerKeyAndCsr } from "../certificates.ts";
import { makeTestNetwork, type TestNetwork } from "../testing.ts";
import { type ConnectedLink, type ConnectOptions, connectLink, delayMs } from "./connect.ts";
import { encodeFrames, outgoing } from "./frame.ts";
import type { Link } from "./link.ts";
import { type LinkListener, type ListenOptions, listenLink } from "./listen.ts";
import { method } from "./method.ts";
import { type Station, serverTls } from "./tls.ts";

let network: TestNetwork;
const toClose: { close(): Promise<void> | void }[] = [];
beforeAll(async () => {
  network = await makeTestNetwork("gateway-server", "network-server", "application-server", "join-server");
});
afterAll(() => network.remove());
afterEach(async () => {
  for (const it of toClose.splice(0).reverse()) await it.close();
});

const loopback = { host: "127.0.0.1", port: 0 };
const anything = Type.Unknown();
const listen = async (options: Partial<ListenOptions> = {}, station = network.station("network-server")) => {
  const listener = await listenLink(station, { address: loopback, from: { "gateway-server": {} }, ...options });
  toClose.push(listener);
  return listener;
};
const dial = (
  listener: Pick<LinkListener, "address">,
  options: Partial<ConnectOptions> = {},
  station: Role | Station = "gateway-server",
): ConnectedLink => {
  const from = typeof station === "string" ? network.station(station) : station;
  const link = connectLink(from, {
    to: "network-server",
    address: listener.address,
    backOff: { firstMs: 1, longestMs: 20 },
    ...options,
  });
  toClose.push(link);
  return link;
};
const up = (link: ConnectedLink) => new Promise<Link>((resolve) => link.onUp(resolve));
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => "answered",
    (error) => (error instanceof Fault ? error.code : error),
  );
const refusedBy = async ({ metrics }: Station) => {
  const { values = [] } = (await metrics.getSingleMetric("trefoil_link_refused_total")?.get()) ?? {};
  return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]));
};

test("either side asks, the other answers, many at once and in any order", async () => {
  const sum = method(
    Type.Object({ receptions: Type.Array(Type.Integer()), waitMs: Type.Integer() }),
    async ({ receptions, waitMs }) => {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      return { sum: receptions.reduce((a, b) => a + b, 0) };
    },
  );
  const listener = await listen({ from: { "gateway-server": { uplinks: sum } } });
  const link = dial(listener, {
    methods: { transmit: method(Type.Object({ gateway: Type.String() }), ({ gateway }) => ({ to: gateway })) },
  });
  await up(link);
  const asked = Array.from({ length: 200 }, (_, i) =>
    link.request("uplinks", { receptions: [i, 1], waitMs: 20 - (i % 20) }),
  );
  expect(await Promise.all(asked)).toEqual(asked.map((_, i) => ({ sum: i + 1 })));
  const back = listener.link("gateway-server");
  expect(back?.peer.role).toBe("gateway-server");
  expect(await back?.request("transmit", { gateway: "é€😀" })).toEqual({ to: "é€😀" });
  expect(link.waiting).toEqual({ requests: 0, octets: 0 });
});

test("frames of several megabytes arrive whole; one over the limit is refused before it is sent", async () => {
  const echo = method(anything, (body) => body);
  const link = dial(await listen({ from: { "gateway-server": { echo } } }), { limits: { mostOctets: 2 ** 26 } });
  await up(link);
  const big = "0123456789abcdef".repeat(2 ** 19);
  expect(await link.request("echo", { big })).toEqual({ big });
  expect(await codeOf(link.request("echo", { big: big + big }))).toBe("link/too-large");
  const bigger = method(anything, () => ({ big: big + big }));
  const other = dial(await listen({ from: { "gateway-server": { bigger } } }));
  await up(other);
  expect(await codeOf(other.request("bigger", {}))).toBe("link/too-large");
});

test("a body that is not of its schema never reaches the handler; unknown methods, Faults and bugs are refusals with a code only", async () => {
  let handled = 0;
  const methods = {
    typed: method(Type.Object({ hz: Type.Integer() }), () => ({ handled: ++handled })),
    busy: method(anything, () => {
      throw new Fault("downlink/busy", "said to nobody", { retry: "now" });
    }),
    bug: method(anything, () => {
      throw new TypeError("secret 00112233");
    }),
  };
  const link = dial(await listen({ from: { "gateway-server": methods } }));
  await up(link);
  expect(await codeOf(link.request("typed", { hz: "868.1" }))).toBe("link/invalid-body");
  expect(await codeOf(link.request("typed", null))).toBe("link/invalid-body");
  expect(await codeOf(link.request("__proto__", {}))).toBe("link/unknown-method");
  expect(await codeOf(link.request("none", {}))).toBe("link/unknown-method");
  const busy = (await link.request("busy", {}).catch((fault) => fault)) as Fault;
  expect([busy.code, busy.retry, busy.message]).toEqual([
    "downlink/busy",
    "now",
    "the network-server refused (downlink/busy)",
  ]);
  const bug = (await link.request("bug", {}).catch((fault) => fault)) as Fault;
  expect([bug.code, bug.message]).toEqual(["link/failed", "the network-server refused (link/failed)"]);
  expect(handled).toBe(0);
  expect(await link.request("typed", { hz: 1 })).toEqual({ handled: 1 });
});

test("more unanswered requests, or octets, than the limit are refused at once, and flow again afterwards", async () => {
  const release: (() => void)[] = [];
  const slow = method(anything, () => new Promise<void>((resolve) => void release.push(resolve)));
  const link = dial(await listen({ from: { "gateway-server": { slow } } }), {
    limits: { mostRequests: 3, mostOctets: 1000 },
  });
  await up(link);
  const first = [1, 2].map((i) => link.request("slow", { i }));
  expect(await codeOf(link.request("slow", { text: "x".repeat(1000) }))).toBe("link/overloaded");
  first.push(link.request("slow", {}));
  expect(await codeOf(link.request("slow", {}))).toBe("link/overloaded");
  await expect.poll(() => release.length).toBe(3);
  for (const go of release) go();
  await Promise.all(first);
  expect(link.waiting).toEqual({ requests: 0, octets: 0 });
});

test("a request that is not answered in time is given up, its late answer ignored, and the link goes on", async () => {
  let release = () => {};
  const slow = method(anything, () => new Promise<void>((resolve) => (release = resolve)));
  const link = dial(await listen({ from: { "gateway-server": { slow, quick: method(anything, () => 1) } } }), {
    limits: { pingMs: 100 },
  });
  await up(link);
  expect(await codeOf(link.request("slow", {}, { timeoutMs: 1 }))).toBe("link/timeout");
  release();
  expect(await link.request("quick", {})).toBe(1);
});

test("a lost link refuses what waits and what comes, connects again by itself, and tells so", async () => {
  const never = method(anything, () => new Promise(() => undefined));
  const station = network.station("network-server");
  const listener = await listenLink(station, { address: loopback, from: { "gateway-server": { never } } });
  const link = dial(listener);
  let ups = 0;
  link.onUp(() => ups++);
  await expect.poll(() => ups).toBe(1);
  const waiting = codeOf(link.request("never", {}));
  await listener.close();
  expect(await waiting).toBe("link/lost");
  await expect.poll(() => link.up).toBe(false);
  expect(await codeOf(link.request("never", {}))).toBe("link/down");
  const again = await listen({
    address: listener.address,
    from: { "gateway-server": { echo: method(anything, (body) => body) } },
  });
  await expect.poll(() => ups).toBe(2);
  expect(await link.request("echo", 7)).toBe(7);
  expect(again.address).toEqual(listener.address);
});

test("a half-open link, whose peer is silent, is found by pings and given up", async () => {
  let opened = (_link: Link) => {};
  const first = new Promise<Link>((resolve) => {
    opened = resolve;
  });
  const listener = await listen({ limits: { pingMs: 40 }, onLink: (link) => opened(link) });
  const { tls } = network.station("gateway-server");
  const silent = connectTls({ ...serverTls(tls), ...listener.address, checkServerIdentity: () => undefined });
  toClose.push({ close: () => void silent.destroy() });
  const link = await first;
  const waiting = codeOf(link.request("transmit", {}));
  expect(await link.closed).toBe("link/silent");
  expect(await waiting).toBe("link/lost");
  expect(listener.link("gateway-server")).toBe(undefined);
});

test("a quiet link lives on, pings are answered; also after this process itself stood still", async () => {
  const link = dial(await listen({ limits: { pingMs: 100 } }), { limits: { pingMs: 100 } });
  let closed = false;
  void (await up(link)).closed.then(() => {
    closed = true;
  });
  const stillUntil = performance.now() + 400;
  while (performance.now() < stillUntil);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect([closed, link.up]).toEqual([false, true]);
});

test("a restarted caller takes the place of its half-open former self", async () => {
  const listener = await listen();
  await up(dial(listener));
  const former = listener.link("gateway-server") as Link;
  dial(listener);
  expect(await former.closed).toBe("link/replaced");
});

test.each<[string, Role]>([
  ["the application-server calls nobody", "application-server"],
  ["the join-server calls nobody", "join-server"],
  ["a server does not call itself", "network-server"],
])("mayCall, by the callee: %s", async (_rule, caller) => {
  const callee = network.station("network-server");
  const all = Object.entries(network.pins).map(([role, fingerprint]) => ({ role: role as Role, fingerprint }));
  const station: Station = { ...callee, tls: { ...callee.tls, peers: all } };
  const listener = await listen({}, station);
  const from = network.station(caller);
  const link = dial(listener, {}, { ...from, tls: { ...from.tls, peers: all } });
  await expect.poll(() => refusedBy(station)).toMatchObject({ "link/not-allowed": expect.any(Number) });
  expect(link.up).toBe(false);
  expect(listener.link(caller)).toBe(undefined);
});

test("mayCall, by the caller's own definition: a listener that lets in a forbidden role is a bug", async () => {
  await expect(listen({ from: { "application-server": {} } })).rejects.toThrow(
    /application-server may not call network-server/,
  );
});

/** A certificate of the right CA and role, but another key than the pinned one. */
async function strangerWith(ca = network.ca, role: Role = "gateway-server"): Promise<Station> {
  const { keyPem, csrPem } = await makeServerKeyAndCsr(role);
  const { certificatePem } = await issueCertificate(ca, role, csrPem);
  const station = network.station("gateway-server");
  return { ...station, tls: { ...station.tls, key: keyPem, cert: certificatePem } };
}

test("pins, by the callee: a certificate of our CA for the right role with another key is refused, counted, and told why", async () => {
  const callee = network.station("network-server");
  const listener = await listen({}, callee);
  const stranger = await strangerWith();
  const link = dial(listener, {}, stranger);
  await expect.poll(() => refusedBy(callee)).toMatchObject({ "link/not-pinned": expect.any(Number) });
  expect([link.up, listener.link("gateway-server")]).toEqual([false, undefined]);
  const told = await new Promise<string>((resolve) => {
    const socket = connectTls({
      ...serverTls(stranger.tls),
      ...listener.address,
      checkServerIdentity: () => undefined,
    });
    socket.on("data", (data: Buffer) => resolve(data.subarray(9).toString()));
  });
  expect(JSON.parse(told)).toEqual({ code: "link/not-pinned", retry: "later" });
});

test("pins, by the caller: it says nothing to a server with another key, nor to a pinned server in another's place", async () => {
  const callee = network.station("network-server");
  const asOther = network.station("application-server");
  for (const tls of [(await strangerWith(network.ca, "network-server")).tls, { ...asOther.tls }]) {
    let said = 0;
    const listener = await listen({ onLink: () => said++ }, { ...callee, tls: { ...tls, peers: callee.tls.peers } });
    const seen: unknown[] = [];
    const station = network.station("gateway-server");
    const log = Object.assign(Object.create(station.log), { warn: (fields: object) => void seen.push(fields) });
    const link = dial(listener, {}, { ...station, log });
    await expect.poll(() => seen).toMatchObject([{ peer: "network-server", reason: "link/not-pinned" }]);
    expect([link.up, said]).toEqual([false, 0]);
  }
});

test("a certificate whose role is not the one that its key is pinned for is refused", async () => {
  const { keyPem, csrPem } = await makeServerKeyAndCsr("gateway-server");
  const { certificatePem, spki } = await issueCertificate(network.ca, "application-server", csrPem);
  const callee = network.station("network-server");
  const station: Station = {
    ...callee,
    tls: { ...callee.tls, peers: [{ role: "gateway-server", fingerprint: spki }] },
  };
  const listener = await listen({}, station);
  const caller = network.station("gateway-server");
  dial(listener, {}, { ...caller, tls: { ...caller.tls, key: keyPem, cert: certificatePem } });
  await expect.poll(() => refusedBy(station)).toMatchObject({ "link/not-pinned": expect.any(Number) });
});

test("no certificate, another CA's certificate, TLS 1.2 and plain text do not get in, and are counted", async () => {
  const callee = network.station("network-server");
  let links = 0;
  const listener = await listen({ onLink: () => links++ }, callee);
  const { tls } = network.station("gateway-server");
  const other = (await strangerWith(await makeCa("Somebody else"))).tls;
  const attempts = [
    { ca: tls.ca },
    { ...serverTls(tls), key: other.key, cert: other.cert },
    { ...serverTls(tls), minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const,
  ];
  for (const [i, attempt] of attempts.entries()) {
    const socket = connectTls({ ...attempt, ...listener.address, checkServerIdentity: () => undefined });
    socket.on("error", () => undefined);
    await expect.poll(() => refusedBy(callee)).toEqual({ "link/no-tls": i + 1 });
    socket.destroy();
  }
  connectTcp(listener.address.port, "127.0.0.1", function (this: import("node:net").Socket) {
    this.on("error", () => undefined).end("GET / HTTP/1.1\r\n\r\n");
  });
  await expect.poll(() => refusedBy(callee)).toEqual({ "link/no-tls": attempts.length + 1 });
  expect(links).toBe(0);
});

test.each([
  ["a frame over the limit", Buffer.from("ffffffff0100000001", "hex")],
  ["a frame too short for its head", Buffer.from("000000040100000001", "hex")],
  ["an unknown kind", Buffer.from("00000007090000000130 7d".replace(" ", ""), "hex")],
  ["JSON that does not parse", Buffer.from("0000000701000000017b7b", "hex")],
  [
    "a request without a method",
    encodeFrames([outgoing(frameKind.request, 1, { body: 1 })].filter((frame) => frame !== undefined)),
  ],
])("%s closes the link, and only the link", async (_what, octets) => {
  const listener = await listen();
  const { tls } = network.station("gateway-server");
  const socket = connectTls({ ...serverTls(tls), ...listener.address, checkServerIdentity: () => undefined });
  socket.on("error", () => undefined);
  await expect.poll(() => listener.link("gateway-server")).toBeDefined();
  const closed = listener.link("gateway-server")?.closed;
  socket.write(octets);
  expect(await closed).toBe("link/malformed");
  await up(dial(listener));
});

test("answers that nobody asked for are ignored", async () => {
  const listener = await listen();
  const { tls } = network.station("gateway-server");
  const socket = connectTls({ ...serverTls(tls), ...listener.address, checkServerIdentity: () => undefined });
  toClose.push({ close: () => void socket.destroy() });
  const frames = [
    outgoing(frameKind.answer, 5, {}),
    outgoing(frameKind.refusal, 6, null),
    outgoing(frameKind.request, 7, { method: "link.ping" }),
  ];
  socket.write(encodeFrames(frames.filter((frame) => frame !== undefined)));
  const answer = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  expect([answer.readUInt8(4), answer.readUInt32BE(5)]).toEqual([frameKind.answer, 7]);
});

test("waiting between attempts doubles up to its limit, half of it by chance", () => {
  const pace = { firstMs: 50, longestMs: 5_000 };
  expect([0, 1, 2, 6, 7, 1000].map((failures) => delayMs(pace, failures, 1))).toEqual([50, 100, 200, 3200, 5000, 5000]);
  expect(delayMs(pace, 3, 0)).toBe(200);
});
