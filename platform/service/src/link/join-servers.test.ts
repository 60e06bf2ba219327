import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ForeignJoinServer } from "../config/sections.ts";
import { makeStranger, makeTestNetwork, type TestNetwork } from "../testing.ts";
import { listenHttps } from "./https-listen.ts";
import { connectJoinServers } from "./join-servers.ts";
import type { Station } from "./tls.ts";

let network: TestNetwork;
const toClose: { close(): Promise<void> | void }[] = [];
beforeAll(async () => {
  network = await makeTestNetwork("network-server", "join-server");
});
afterAll(() => network.remove());
afterEach(async () => {
  for (const it of toClose.splice(0).reverse()) await it.close();
});

/** A join server that answers with its name and the path that was asked. It knows this network's server by its key. */
async function joinServer(name: string, station: Pick<Station, "tls">) {
  const callers: string[] = [];
  const listener = await listenHttps(
    { ...network.station("join-server"), ...station },
    {
      address: { host: "127.0.0.1", port: 0 },
      callerOf: (fingerprint) => (fingerprint === network.pins["network-server"] ? "network" : undefined),
      handler: async ({ path, peer }) => {
        callers.push(peer);
        return { status: 200, body: { name, path } };
      },
    },
  );
  toClose.push(listener);
  return { ...listener, callers, port: listener.address.port };
}
function connect(foreign: readonly ForeignJoinServer[], own?: { host: string; port: number }) {
  const servers = connectJoinServers(network.station("network-server"), own, foreign);
  toClose.push(servers);
  return servers;
}
const range = (first: string, last: string) => ({ joinEuis: { first, last } });
const codeOf = (asked: Promise<unknown> | undefined) =>
  asked?.then(
    () => "answered",
    ({ code }) => code,
  );

test("the smallest range that has the JoinEUI wins, the own join-server has all else; each with its version of TS002 and its path", async () => {
  const [strangerA, strangerB] = [await makeStranger(), await makeStranger()];
  const [own, a, b] = [
    await joinServer("own", network.station("join-server")),
    await joinServer("a", strangerA),
    await joinServer("b", strangerB),
  ];
  const servers = connect(
    [
      {
        ...range("70B3D57ED0000000", "70B3D57EDFFFFFFF"),
        url: `https://127.0.0.1:${a.port}/ttjs/v1?x=1`,
        pin: strangerA.spki,
      },
      {
        ...range("70b3d57ed0000010", "70b3d57ed000001f"),
        ...{ url: `https://127.0.0.1:${b.port}`, pin: strangerB.spki.toUpperCase(), protocolVersion: "1.1" },
      },
    ],
    own.address,
  );
  const asked = async (joinEui: string) => {
    const server = servers.of(joinEui);
    return [server?.protocolVersion, await server?.ask({}, 5_000)];
  };
  expect(await asked("70b3d57ed0000000")).toEqual(["1.0", { name: "a", path: "/ttjs/v1?x=1" }]);
  expect(await asked("70b3d57ed000000f")).toEqual(["1.0", { name: "a", path: "/ttjs/v1?x=1" }]);
  expect(await asked("70b3d57ed0000010")).toEqual(["1.1", { name: "b", path: "/" }]);
  expect(await asked("70b3d57ed000001f")).toEqual(["1.1", { name: "b", path: "/" }]);
  expect(await asked("70b3d57ee0000000")).toEqual(["1.1", { name: "own", path: "/" }]);
  expect(b.callers).toEqual(["network", "network"]);
});

test("who has not the pinned key gets nothing, not one request", async () => {
  const [stranger, impostor] = [await makeStranger(), await makeStranger()];
  const server = await joinServer("impostor", impostor);
  const servers = connect([
    { ...range("0000000000000000", "ffffffffffffffff"), url: `https://127.0.0.1:${server.port}`, pin: stranger.spki },
  ]);
  expect(await codeOf(servers.of("0000000000000001")?.ask({}, 5_000))).toBe("link/not-pinned");
  expect(server.callers).toEqual([]);
});

test("ca: a certificate of that authority, for that host name; without pin and ca, one of a public authority", async () => {
  const server = await joinServer("trusted", network.station("join-server"));
  const ca = join(network.dir, "foreign-ca.pem");
  writeFileSync(ca, network.ca.certificatePem);
  const all = range("0000000000000000", "ffffffffffffffff");
  const ask = (entry: Partial<ForeignJoinServer>, host = "localhost") =>
    codeOf(
      connect([{ ...all, url: `https://${host}:${server.port}`, ...entry }])
        .of("0000000000000001")
        ?.ask({}, 5_000),
    );
  expect(await ask({ ca })).toBe("answered");
  expect(await ask({})).toBe("https/down");
  const other = join(network.dir, "other-ca.pem");
  writeFileSync(other, (await makeStranger()).tls.ca);
  expect(await ask({ ca: other })).toBe("https/down");
  expect(await ask({ ca }, "[::ffff:127.0.0.1]")).toBe("https/down");
  expect(() => connect([{ ...all, url: "https://localhost", ca: join(network.dir, "none.pem") }])).toThrow(
    expect.objectContaining({ code: "config/join-servers" }),
  );
});

test("where nobody is configured for a JoinEUI and there is no own join-server, there is none", () => {
  expect(connect([]).of("0000000000000001")).toBeUndefined();
});
