import { request } from "node:https";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { issueCertificate, makeServerKeyAndCsr } from "../certificates.ts";
import { makeTestNetwork, type TestNetwork } from "../testing.ts";
import { connectHttps, type HttpsListenOptions, type HttpsRequest, listenHttps } from "./https.ts";
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
