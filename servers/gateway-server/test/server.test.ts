/** The whole gateway-server: gateways over real UDP sockets, a network-server at the other end of a real link. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { type Link, listenLink, method } from "@trefoil/service";
import { type InProcess, makeTestNetwork, startInProcess, type TestNetwork } from "@trefoil/service/testing";
import type { GatewayState, Reception, Transmit, Transmitted } from "@trefoil/wire";
import Type from "typebox";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { definition } from "../src/definition.ts";

const eui = "0016c001ff10a235";
const phyPayload = "QAQAAAGAAQABqrvM3Q==";

/** Longer than any machine under load needs; no test waits for it to pass. */
const eventually = <T>(what: () => T | Promise<T>) => vi.waitFor(what, { timeout: 20_000, interval: 10 });

let network: TestNetwork;
let server: InProcess;
let networkServer: Awaited<ReturnType<typeof startNetworkServer>>;
const gateways: { close(): void }[] = [];

beforeAll(async () => {
  network = await makeTestNetwork("gateway-server", "network-server");
});
afterAll(() => network.remove());
beforeEach(async () => {
  networkServer = await startNetworkServer();
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) gateway.close();
  await server?.stop();
  await networkServer.close();
  for (const suffix of ["", "-wal", "-shm"])
    rmSync(join(network.dataDir("gateway-server"), `store.sqlite${suffix}`), { force: true });
});

const start = async (change: { unknownGateways?: "accept" } = {}) => {
  const boot = network.boot("gateway-server", change, { "network-server": networkServer.address });
  server = await startInProcess(definition, boot);
};

const anything = Type.Object({});

/** Records what it is told, and can be told to be slow. */
async function startNetworkServer(port = 0) {
  const receptions: Reception[] = [];
  const states: GatewayState[] = [];
  let hold: Promise<void> | undefined;
  let link: Link | undefined;
  const listener = await listenLink(network.station("network-server"), {
    address: { host: "127.0.0.1", port },
    onLink: (opened) => {
      link = opened;
    },
    from: {
      "gateway-server": {
        uplinks: method(anything, async (body) => {
          receptions.push(...(body as { receptions: Reception[] }).receptions);
          await hold;
          return {};
        }),
        gateways: method(anything, (body) => {
          states.push(...(body as { gateways: GatewayState[] }).gateways);
          return {};
        }),
      },
    },
  });
  return {
    address: listener.address,
    receptions,
    states,
    holdUntil: (promise: Promise<void>) => {
      hold = promise;
    },
    transmit: (request: Transmit) => (link as Link).request<Transmitted>("transmit", request),
    close: () => listener.close(),
  };
}

async function fakeGateway(gatewayEui = eui) {
  const socket: Socket = createSocket("udp4");
  const heard: Buffer[] = [];
  socket.on("message", (octets) => heard.push(octets));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const send = (type: number, token: number, body?: unknown, version = 2) => {
    const head = Buffer.from([version, token >> 8, token & 255, type, ...Buffer.from(gatewayEui, "hex")]);
    const port = server.listeners.udp?.port as number;
    socket.send(
      body === undefined ? head : Buffer.concat([head, Buffer.from(JSON.stringify(body))]),
      port,
      "127.0.0.1",
    );
  };
  const gateway = {
    heard,
    send,
    push: (...rxpk: object[]) => send(0, 0x1234, { rxpk }),
    pull: async () => {
      send(2, 0x5678);
      await eventually(() => expect(heard.some((octets) => octets.toString("hex") === "02567804")).toBe(true));
    },
    /** The next PULL_RESP that was not taken yet. */
    pullResp: () =>
      eventually(() => {
        const at = heard.findIndex((octets) => octets[3] === 3);
        if (at < 0) throw new Error("no PULL_RESP");
        const [octets] = heard.splice(at, 1) as [Buffer];
        return { token: octets.readUInt16BE(1), txpk: JSON.parse(octets.toString("utf8", 4)).txpk };
      }),
    close: () => socket.close(),
  };
  gateways.push(gateway);
  return gateway;
}

const rxpk = (change: object = {}) => ({
  tmst: 3_512_348_611,
  chan: 2,
  rfch: 0,
  freq: 868.3,
  stat: 1,
  modu: "LORA",
  datr: "SF7BW125",
  codr: "4/5",
  rssi: -35,
  lsnr: 5.1,
  size: 13,
  data: phyPayload,
  ...change,
});
const admin = (method: string, path: string, body?: object) =>
  new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const socketPath = join(network.dataDir("gateway-server"), "admin.sock");
    const asked = httpRequest(
      { socketPath, method, path, headers: body ? { "content-type": "application/json" } : {} },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part) => (text += part));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    asked.on("error", reject);
    asked.end(body && JSON.stringify(body));
  });
const create = (change: object = {}) => admin("POST", "/gateways", { gatewayId: "roof", eui, ...change });
const metric = async (name: string) => {
  const { port } = server.listeners.http as { port: number };
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")[1] ?? 0,
  );
};
const datagrams = (outcome: string) => metric(`trefoil_gateway_datagrams_total{outcome="${outcome}"}`);

test("a frame travels from PUSH_DATA to the network-server, and the acknowledgement is at once", async () => {
  await start();
  await create();
  const gateway = await fakeGateway();
  const holding = Promise.withResolvers<void>();
  networkServer.holdUntil(holding.promise);
  gateway.push(rxpk());
  await eventually(() => expect(gateway.heard.map((octets) => octets.toString("hex"))).toEqual(["02123401"]));
  await eventually(() => expect(networkServer.receptions).toHaveLength(1));
  holding.resolve();
  expect(networkServer.receptions[0]).toMatchObject({
    gateway: eui,
    phyPayload,
    hz: 868_300_000,
    dataRate: "SF7BW125",
    codingRate: "4/5",
    rssi: -35,
    snr: 5.1,
    channel: 2,
    trust: "none",
  });
  expect(BigInt(networkServer.receptions[0]?.concentratorTime ?? 0) % 2n ** 32n).toBe(3_512_348_611n);
});

test("an unknown gateway gets no answer, and the log says how to let it in", async () => {
  await start();
  const gateway = await fakeGateway();
  gateway.push(rxpk());
  await eventually(async () => expect(await datagrams("gateway/unknown")).toBe(1));
  expect(gateway.heard).toEqual([]);
  expect(server.lines).toContainEqual(
    expect.objectContaining({ gateway: eui, msg: expect.stringContaining("trefoil gateway create") }),
  );
  expect(networkServer.receptions).toEqual([]);
});

test("with unknownGateways: accept a stranger is heard, and can still be registered under its name", async () => {
  await start({ unknownGateways: "accept" });
  const gateway = await fakeGateway();
  gateway.push(rxpk());
  await eventually(() => expect(networkServer.receptions).toHaveLength(1));
  expect((await admin("GET", "/gateways")).body).toMatchObject([{ eui, gatewayId: `eui-${eui}` }]);
  expect((await create()).status).toBe(200);
  expect((await admin("GET", "/gateways")).body).toMatchObject([{ eui, gatewayId: "roof" }]);
});

test("the network-server learns of gateways on connecting, when they connect, move, and are deleted", async () => {
  await start();
  await create();
  await eventually(() => expect(networkServer.states.at(-1)).toMatchObject({ gateway: eui, connected: false }));
  const gateway = await fakeGateway();
  await gateway.pull();
  await eventually(() => expect(networkServer.states.at(-1)).toMatchObject({ gatewayId: "roof", connected: true }));
  gateway.send(0, 1, { stat: { time: "2026-01-01 00:00:00 GMT", lati: 46.24, long: 3.2523, alti: 145, rxnb: 2 } });
  await eventually(() =>
    expect(networkServer.states.at(-1)?.location).toEqual({ latitude: 46.24, longitude: 3.2523, altitude: 145 }),
  );
  expect((await admin("DELETE", `/gateways/${eui}`)).status).toBe(200);
  await eventually(() => expect(networkServer.states.at(-1)).toMatchObject({ gateway: eui, connected: false }));
  gateway.push(rxpk());
  await eventually(async () => expect(await datagrams("gateway/unknown")).toBe(1));
});

const downlink = (change: Partial<Transmit> = {}): Transmit => ({
  gateway: eui,
  phyPayload: "YAQAAAEgAQABqrvM3Q==",
  concentratorTime: networkServer.receptions[0]?.concentratorTime ?? "0",
  windows: [
    { delayUs: 20_000_000, hz: 868_300_000, dataRate: "SF7BW125", codingRate: "4/5", eirpDbm: 16.15 },
    { delayUs: 21_000_000, hz: 869_525_000, dataRate: "SF12BW125", codingRate: "4/5", eirpDbm: 29.15 },
  ],
  priority: "class-a",
  ...change,
});
async function gatewayThatHeard(change: object = {}, antennaGainDbi = 2.15) {
  await start();
  await create({ antennaGainDbi });
  const gateway = await fakeGateway();
  await gateway.pull();
  gateway.push(rxpk(change));
  await eventually(() => expect(networkServer.receptions).toHaveLength(1));
  return gateway;
}

test("a downlink goes to the last PULL_DATA address, the window's delay after the uplink, and TX_ACK confirms it", async () => {
  const gateway = await gatewayThatHeard({ tmst: 2 ** 32 - 5 }); // RX1 is beyond the counter's end
  const answer = networkServer.transmit(downlink());
  const { token, txpk } = await gateway.pullResp();
  expect(txpk).toEqual({
    imme: false,
    tmst: 19_999_995,
    freq: 868.3,
    rfch: 0,
    powe: 14,
    modu: "LORA",
    datr: "SF7BW125",
    codr: "4/5",
    ipol: true,
    ncrc: true,
    size: 13,
    data: "YAQAAAEgAQABqrvM3Q==",
  });
  gateway.send(5, token);
  expect(await answer).toEqual({ result: "transmitted", window: 0, confirmedByGateway: true });
  expect(await metric('trefoil_gateway_downlinks_total{outcome="transmitted"}')).toBe(1);
});

test("a gateway that refuses RX1 is asked for RX2; one that refuses both gives its own reason", async () => {
  const gateway = await gatewayThatHeard();
  const answer = networkServer.transmit(downlink());
  const first = await gateway.pullResp();
  gateway.send(5, first.token, { txpk_ack: { error: "COLLISION_PACKET" } });
  const second = await gateway.pullResp();
  expect(second.txpk).toMatchObject({
    tmst: (first.txpk.tmst + 1_000_000) % 2 ** 32,
    freq: 869.525,
    datr: "SF12BW125",
    powe: 27,
  });
  gateway.send(5, second.token, { txpk_ack: { error: "TX_FREQ" } });
  expect(await answer).toEqual({ result: "refused", code: "gateway/TX_FREQ" });
});

test("a gateway whose gain table lacks a power is asked for the next lower in the same window, and it is remembered", async () => {
  const gateway = await gatewayThatHeard({}, 7);
  const table = [-6, -3, 0, 3, 6, 10, 11, 12, 13, 14, 16, 20, 23, 25, 26, 27]; // lora_pkt_fwd's own
  const asked: [number, number][] = [];
  const obey = async () => {
    for (;;) {
      const { token, txpk } = await gateway.pullResp();
      asked.push([txpk.freq, txpk.powe]);
      if (table.includes(txpk.powe)) return gateway.send(5, token);
      gateway.send(5, token, { txpk_ack: { error: "TX_POWER" } });
    }
  };
  const both = downlink().windows;
  for (const [at, windows] of [both, both.slice(1), both.slice(0, 1), both.slice(1)].entries()) {
    const concentratorTime = String(BigInt(downlink().concentratorTime) + BigInt(at * 5_000_000));
    const [answer] = await Promise.all([networkServer.transmit(downlink({ windows, concentratorTime })), obey()]);
    expect(answer).toEqual({ result: "transmitted", window: 0, confirmedByGateway: true });
  }
  expect(asked).toEqual([
    [868.3, 9],
    [868.3, 6],
    [869.525, 22],
    [869.525, 20],
    [868.3, 6],
    [869.525, 20],
  ]);
});

test("a gateway that refuses every power gives its reason, and RX2 is asked for all the same", async () => {
  const gateway = await gatewayThatHeard({}, 16);
  const answer = networkServer.transmit(downlink());
  for (const powe of [0, -3, -6, 13, 12, 11, 10, 6, 3]) {
    const { token, txpk } = await gateway.pullResp();
    expect(txpk.powe).toBe(powe);
    gateway.send(5, token, { txpk_ack: { error: "TX_POWER" } });
  }
  expect(await answer).toEqual({ result: "refused", code: "gateway/TX_POWER" });
});

test("a TX_ACK with another token confirms nothing", async () => {
  const gateway = await gatewayThatHeard();
  const answer = networkServer.transmit(downlink());
  const { token } = await gateway.pullResp();
  gateway.send(5, token ^ 1);
  await eventually(async () => expect(await datagrams("tx-ack/unexpected")).toBe(1));
  gateway.send(5, token, { txpk_ack: { error: "TOO_LATE" } });
  gateway.send(5, (await gateway.pullResp()).token);
  expect(await answer).toMatchObject({ result: "transmitted", window: 1 });
});

test("what cannot be transmitted is refused with its reason", async () => {
  const gateway = await gatewayThatHeard();
  const refused = async (change: Partial<Transmit>) => {
    const answer = await networkServer.transmit(downlink(change));
    return answer.result === "refused" ? answer.code : answer.result;
  };
  expect(await refused({ gateway: "ffffffffffffffff" })).toBe("gateway/unknown");
  const late = String(BigInt(downlink().concentratorTime) - 30_000_000n);
  expect(await refused({ concentratorTime: late })).toBe("schedule/too-late");
  const [window] = downlink().windows as [Transmit["windows"][0]];
  expect(await refused({ windows: [{ ...window, hz: 869_300_000 }] })).toBe("schedule/frequency");
  expect(await refused({ windows: [{ ...window, dataRate: "SF99" }] })).toBe("schedule/data-rate");
  expect(await refused({ windows: [{ ...window, delayUs: 600_000_000 }] })).toBe("schedule/too-early");
  expect(gateway.heard.filter((octets) => octets[3] === 3)).toEqual([]);
});

test("a gateway that only pushes cannot be transmitted to", async () => {
  await start();
  await create();
  const gateway = await fakeGateway();
  gateway.push(rxpk());
  await eventually(() => expect(networkServer.receptions).toHaveLength(1));
  expect(await networkServer.transmit(downlink())).toEqual({ result: "refused", code: "gateway/not-connected" });
});

test("uplinks heard while the network-server was away are delivered when it is back", async () => {
  await start();
  await create();
  const gateway = await fakeGateway();
  await eventually(() => expect(networkServer.states).not.toHaveLength(0));
  await networkServer.close();
  for (let i = 0; i < 5; i++) gateway.push(rxpk({ tmst: i * 1_000_000 }));
  await eventually(async () => expect(await metric("trefoil_gateway_uplinks_waiting")).toBe(5));
  networkServer = await startNetworkServer(networkServer.address.port);
  await eventually(() => expect(networkServer.receptions).toHaveLength(5));
  const times = networkServer.receptions.map(({ concentratorTime }) => BigInt(concentratorTime));
  expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
  await eventually(async () => expect(await metric("trefoil_gateway_uplinks_waiting")).toBe(0));
});

test("gateways survive a restart; the same EUI or name twice is refused", async () => {
  await start();
  expect((await create()).status).toBe(200);
  expect(await create({ gatewayId: "cellar" })).toMatchObject({
    status: 409,
    body: { error: { code: "gateway/exists" } },
  });
  expect(await create({ eui: "00000000000000AA" })).toMatchObject({
    status: 409,
    body: { error: { code: "gateway/id-taken" } },
  });
  expect(await create({ eui: "xyz" })).toMatchObject({ status: 400, body: { error: { code: "gateway/invalid" } } });
  expect(await create({ eui: "00000000000000AA", gatewayId: "Roof!" })).toMatchObject({ status: 400 });
  const placed = {
    gatewayId: "cellar",
    eui: "00000000000000aa",
    antennaGainDbi: 3.5,
    location: { latitude: 1.5, longitude: -2 },
  };
  expect((await admin("POST", "/gateways", placed)).status).toBe(200);
  await server.stop();
  await start();
  expect((await admin("GET", "/gateways")).body).toEqual([
    { ...placed, connected: false },
    { gatewayId: "roof", eui, connected: false },
  ]);
  expect(await admin("DELETE", "/gateways/00000000000000ab")).toMatchObject({ status: 404 });
});

test("a region with unverified values is not started unless the operator insists (DESIGN §7)", async () => {
  const boot = network.boot("gateway-server", {}, { "network-server": networkServer.address });
  const config = { ...boot.config, network: { ...boot.config.network, region: "RU864" as const } };
  await expect(startInProcess(definition, { ...boot, config })).rejects.toMatchObject({
    code: "region/unverified",
    retry: "never",
  });
  await start();
});
