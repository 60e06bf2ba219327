import { request } from "node:https";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { issueCertificate, makeServerKeyAndCsr } from "../certificates.ts";
import { makeStranger, makeTestNetwork, type TestNetwork } from "../testing.ts";
import { connectHttps, connectPinned } from "./https.ts";
import { type HttpsListenOptions, type HttpsRequest, listenHttps } from "./https-listen.ts";
import { type Station, serverTls } from "./tls.ts";

let network: TestNetwork;
const toClose: { close(): Promise<void> | void }[] = [];
beforeAll(async () => {
  network = await makeTestNetwork("network-server", "join-server", "gateway-server");
});
afterAll(() => network.remove());
afterEach(async () => {
  for (const it of toClose.splice(0).reverse()) await it.close();
});
const seen: HttpsRequest[] = [];
const listen = async (options: Partial<HttpsListenOptions> = {}, station = network.station("join-server")) => {
  const handler: HttpsListenOptions["handler"] = async (asked) => {
    seen.push(asked);
    return { status: 200, body: { got: JSON.parse(asked.body) } };
  };
  const listener = await listenHttps(station, {
    address: { host: "127.0.0.1", port: 0 },
    from: ["network-server"],
    handler,
    ...options,
  });
  toClose.push(listener);
  return listener;
};
const client = (
  { address }: { address: { host: string; port: number } },
  station = network.station("network-server"),
) => {
  const it = connectHttps(station, { to: "join-server", address });
  toClose.push(it);
  return it;
};
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => "answered",
    ({ code }) => code,
  );

test("the handler sees who asks: role, key and the NetID that it may speak for (TS002 §5)", async () => {
  const station = network.station("join-server");
  const peers = station.tls.peers.map((peer) => (peer.role === "network-server" ? { ...peer, netId: "000013" } : peer));
  const { post } = client(await listen({}, { ...station, tls: { ...station.tls, peers } }));
  const body = { ProtocolVersion: "1.0", MessageType: "JoinReq", PHYPayload: "é" };
  expect(await post("/", body)).toEqual({ status: 200, body: { got: body } });
  const { peer, path, method } = seen.at(-1) as HttpsRequest;
  expect({ path, method, peer }).toEqual({
    path: "/",
    method: "POST",
    peer: { role: "network-server", netId: "000013", fingerprint: network.pins["network-server"] },
  });
});

test("many at once, on connections that are kept", async () => {
  const { post } = client(await listen());
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => post("/", { i })));
  expect(answers.map(({ body }) => body)).toEqual(answers.map((_, i) => ({ got: { i } })));
});

test("a pinned server that may not call, and a key that is not pinned, never reach the handler", async () => {
  const before = seen.length;
  const station = network.station("join-server");
  const listener = await listen({}, station);
  const { keyPem, csrPem } = await makeServerKeyAndCsr("network-server");
  const { certificatePem } = await issueCertificate(network.ca, "network-server", csrPem);
  const honest = network.station("network-server");
  const stranger: Station = { ...honest, tls: { ...honest.tls, key: keyPem, cert: certificatePem } };
  expect(await codeOf(client(listener, network.station("gateway-server")).post("/", {}))).toBe("https/down");
  expect(await codeOf(client(listener, stranger).post("/", {}))).toBe("https/down");
  const { values = [] } = (await station.metrics.getSingleMetric("trefoil_link_refused_total")?.get()) ?? {};
  expect(values.map(({ labels, value }) => [labels.reason, value])).toEqual([
    ["link/not-allowed", 1],
    ["link/not-pinned", 1],
  ]);
  expect(seen.length).toBe(before);
});

test("the client says nothing to a server that is not the pinned one", async () => {
  const before = seen.length;
  const impostor = network.station("gateway-server");
  const { peers } = network.station("join-server").tls;
  const listener = await listen({}, { ...network.station("join-server"), tls: { ...impostor.tls, peers } });
  expect(await codeOf(client(listener).post("/", {}))).toBe("link/not-pinned");
  expect(seen.length).toBe(before);
});

test("too large a body is answered 413, a handler's bug 500 without its message, silence and absence are Faults", async () => {
  const small = client(await listen({ bodyLimit: 100 }));
  expect(await small.post("/", "x".repeat(200))).toEqual({ status: 413, body: { error: { code: "https/too-large" } } });
  expect((await small.post("/", 1)).status).toBe(200);
  const bug = client(await listen({ handler: async () => Promise.reject(new Error("secret 00112233")) }));
  expect(await bug.post("/", {})).toEqual({ status: 500, body: { error: { code: "https/failed" } } });
  const silent = await listen({ handler: () => new Promise(() => undefined) });
  expect(await codeOf(client(silent).post("/", {}, { timeoutMs: 20 }))).toBe("https/timeout");
  const gone = await listen();
  await gone.close();
  expect(await codeOf(client(gone).post("/", {}))).toBe("https/down");
});

test("after a restart of the server the client's kept connections do not fail a request", async () => {
  const first = await listen();
  const { post } = client(first);
  await post("/", 1);
  await first.close();
  await listen({ address: first.address });
  expect((await post("/", 2)).body).toEqual({ got: 2 });
});

const heardBy = async (callers: ReadonlyMap<string, string>, options: object = {}) => {
  const station = network.station("join-server");
  const refused: unknown[] = [];
  const listener = await listenHttps<string>(station, {
    address: { host: "127.0.0.1", port: 0 },
    callerOf: (fingerprint) => callers.get(fingerprint),
    handler: async ({ peer }) => ({ status: 200, body: { peer } }),
    onRefused: (reason, fingerprint) => refused.push([reason, fingerprint]),
    ...options,
  });
  toClose.push(listener);
  const own = network.pins["join-server"] as string;
  const from = (tls: Station["tls"]) => {
    const it = connectPinned({ tls }, { address: listener.address, fingerprint: own, name: "the join server" });
    toClose.push(it);
    return (body: unknown = {}) =>
      it.post("/", body).then(
        ({ body }) => (body as { peer: string }).peer ?? body,
        ({ code }) => code,
      );
  };
  return { from, refused };
};

test("a key is enough, whoever issued its certificate; a key that nobody named is closed before a request is read", async () => {
  const [known, unknown] = await Promise.all([makeStranger(), makeStranger()]);
  const { from, refused } = await heardBy(new Map([[known.spki, "network A"]]));
  expect(await from(known.tls)()).toBe("network A");
  expect(await from(unknown.tls)()).toBe("https/down");
  // A certificate of the own CA is nothing special.
  expect(await from(network.station("network-server").tls)()).toBe("https/down");
  expect(refused).toEqual([
    ["link/not-pinned", unknown.spki],
    ["link/not-pinned", network.pins["network-server"]],
  ]);
});

test.each([
  ["expired", { from: -2, to: -1 }],
  ["not valid yet", { from: 1, to: 2 }],
])("a certificate that is %s does not count, although its key does", async (_, years) => {
  const stranger = await makeStranger(years);
  const { from, refused } = await heardBy(new Map([[stranger.spki, "network A"]]));
  expect(await from(stranger.tls)()).toBe("https/down");
  expect(refused).toEqual([["link/not-valid-now", stranger.spki]]);
});

test("who may call changes at run time, also on connections that are open", async () => {
  const stranger = await makeStranger();
  const callers = new Map<string, string>();
  const { from } = await heardBy(callers);
  const ask = from(stranger.tls);
  expect(await ask()).toBe("https/down");
  callers.set(stranger.spki, "network A");
  expect(await ask()).toBe("network A");
  callers.set(stranger.spki, "network B");
  expect(await ask()).toBe("network B");
  callers.delete(stranger.spki);
  expect(await ask()).toBe("https/down");
});

test("without a certificate nobody is heard, whomever the listener would take", async () => {
  const { from, refused } = await heardBy(new Map([["", "nobody"]]));
  const { ca, peers } = network.station("network-server").tls;
  const none = { ca, peers } as unknown as Station["tls"];
  expect(await from(none)()).toBe("https/down");
  expect(refused).toEqual([["link/not-pinned", undefined]]);
});

test("too large a body is the protocol's to answer; an answer without a body is only a status", async () => {
  const stranger = await makeStranger();
  const tooLarge = async (peer: string) => ({ status: 413, body: { peer: `${peer} said too much` } });
  const { from } = await heardBy(new Map([[stranger.spki, "A"]]), { bodyLimit: 100, tooLarge });
  expect(await from(stranger.tls)("x".repeat(200))).toBe("A said too much");
  const silent = await listen({ handler: async () => ({ status: 204 }) });
  expect(await client(silent).post("/", 1)).toEqual({ status: 204 });
});

test("a pinned client says nothing to a server with another key", async () => {
  const before = seen.length;
  const listener = await listen();
  const wrong = connectPinned(network.station("network-server"), {
    address: listener.address,
    fingerprint: "00".repeat(32),
    name: "network A",
  });
  toClose.push(wrong);
  expect(await codeOf(wrong.post("/", {}))).toBe("link/not-pinned");
  expect(seen.length).toBe(before);
});

test("without a certificate there is no HTTP at all", async () => {
  const { address } = await listen();
  const { ca } = serverTls(network.station("network-server").tls);
  const code = await new Promise((resolve) =>
    request({ ...address, ca, path: "/" }, () => resolve("answered"))
      .on("error", ({ code }: NodeJS.ErrnoException) => resolve(code))
      .end(),
  );
  expect(code).toMatch(/^ERR_SSL|^ECONNRESET/);
});
