/** A network-server among peers that are played by the test: a gateway-server, an application-server, a join-server, over real links. */
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import {
  encodeKekFile,
  encodeSealingKey,
  Key,
  type KeyRole,
  makeSealer,
  makeSealingKeyPair,
  parseReceiver,
} from "@trefoil/custody";
import {
  type ConnectedLink,
  connectLink,
  Fault,
  type Link,
  type LinkListener,
  listenLink,
  type NetworkServerConfig,
} from "@trefoil/service";
import { makeTestNetwork, type TestNetwork } from "@trefoil/service/testing";
import type {
  Address,
  Events,
  MacVersion,
  NetworkDevice,
  NetworkEvent,
  Reception,
  Results,
  Transmit,
  Transmitted,
} from "@trefoil/wire";
import { vi } from "vitest";
import { kek, makeJoinServer } from "../src/testing.ts";
import { hex, TestDevice, type Version } from "./device.ts";

const sealing = makeSealingKeyPair();
export const vault = makeSealingKeyPair();

export { appKey, asKek, kek, rootKey } from "../src/testing.ts";

export type World = Awaited<ReturnType<typeof makeWorld>>;

/** Peers and data folder; the network-server itself is started by the caller, in this process or as a child. */
export async function makeWorld(change: Partial<NetworkServerConfig> = {}) {
  const network = await makeTestNetwork("gateway-server", "network-server", "application-server", "join-server");
  const folder = network.dataDir("network-server");
  writeFileSync(join(folder, "kek.key"), encodeKekFile(kek), { mode: 0o600 });
  writeFileSync(join(folder, "vault.pub"), `${vault.published.publicKey}\n`, { mode: 0o600 });
  writeFileSync(join(folder, "sealing.key"), encodeSealingKey(sealing.privateKey), { mode: 0o600 });

  const application = await makeApplicationServer(network);
  const joinServer = await makeJoinServer(network);
  const peers = { "application-server": application.address, "join-server": joinServer.address };
  const boot = network.boot("network-server", { deduplicationWindowMs: 40, ...change }, peers);
  const transmits: Transmit[] = [];
  let fateOf: (transmit: Transmit) => Transmitted = () => ({
    result: "transmitted",
    window: 0,
    confirmedByGateway: true,
  });
  let gateway: ConnectedLink | undefined;

  return {
    network,
    boot,
    application,
    joinServer,
    transmits,
    answerTransmits: (answer: (transmit: Transmit) => Transmitted) => {
      fateOf = answer;
    },
    async connectGateway(address: Address) {
      await gateway?.close();
      gateway = connectLink(network.station("gateway-server"), {
        to: "network-server",
        address,
        methods: {
          transmit: {
            check: () => undefined,
            handle: (transmit: Transmit) => {
              transmits.push(transmit);
              return fateOf(transmit);
            },
          },
        },
      });
      await new Promise<void>((resolve) => gateway?.onUp(() => resolve()));
      return gateway;
    },
    /** Resolves when the network-server has answered: the frames' fate is decided. */
    hear: (...receptions: Reception[]): Promise<unknown> => {
      if (!gateway) throw new Error("no gateway-server");
      return gateway.request("uplinks", { receptions });
    },
    link: () => gateway as ConnectedLink,
    admin: <T>(method: string, path: string, body?: unknown) =>
      adminCall<T>(join(folder, "admin.sock"), method, path, body),
    /** A personalised device, registered, with keys made from its DevEUI. */
    async personalise(
      version: Version,
      devEui: string,
      devAddr: string,
      more: Partial<NonNullable<NetworkDevice["abp"]>> = {},
    ) {
      const device = abpDevice(version, devEui, devAddr);
      const { results } = await adminCall<Results>(join(folder, "admin.sock"), "POST", "/devices", [
        abpRow(device, more),
      ]);
      if (!results[0]?.ok) throw new Error(JSON.stringify(results));
      return device;
    },
    async register(version: MacVersion, devEui: string) {
      const device = new TestDevice(version === "1.1" ? "1.1" : "1.0.4", devEui);
      const row: NetworkDevice = {
        devEui,
        joinEui: device.joinEui,
        macVersion: version,
        region: "EU868",
        asId: "trefoil-as",
      };
      const { results } = await adminCall<Results>(join(folder, "admin.sock"), "POST", "/devices", [row]);
      if (!results[0]?.ok) throw new Error(JSON.stringify(results));
      return device;
    },
    async end() {
      await gateway?.close();
      await application.close();
      await joinServer.close();
      network.remove();
    },
  };
}

export function abpDevice(version: Version, devEui: string, devAddr: string): TestDevice {
  const device = new TestDevice(version, devEui);
  device.devAddr = devAddr;
  const key = (first: string) => hex(`${first}${devEui.slice(2)}${devEui}`);
  const f = key("a1");
  device.keys =
    version === "1.1"
      ? { fNwkSIntKey: f, sNwkSIntKey: key("a2"), nwkSEncKey: key("a3"), appSKey: key("a4") }
      : { fNwkSIntKey: f, sNwkSIntKey: f, nwkSEncKey: f, appSKey: key("a4") };
  return device;
}

const receiver = () => {
  const found = parseReceiver(sealing.published.publicKey);
  if (!found) throw new Error("no receiver");
  return found;
};
const sealer = makeSealer(receiver());

export function abpRow(device: TestDevice, more: Partial<NonNullable<NetworkDevice["abp"]>> = {}): NetworkDevice {
  const { version, devEui, devAddr, keys } = device;
  if (!keys) throw new Error("no keys");
  const roles: [KeyRole, Uint8Array][] =
    version === "1.1"
      ? [
          ["FNwkSIntKey", keys.fNwkSIntKey],
          ["SNwkSIntKey", keys.sNwkSIntKey],
          ["NwkSEncKey", keys.nwkSEncKey],
        ]
      : [["NwkSKey", keys.fNwkSIntKey]];
  const sealed = sealer.seal(roles.map(([role, octets]) => ({ key: new Key(role, octets), devEui })));
  const sessionKeyId = `${devEui}${devEui}`;
  return {
    devEui,
    macVersion: version,
    region: "EU868",
    asId: "trefoil-as",
    abp: { devAddr, sessionKeyId, sealed, ...more },
  };
}

let concentratorTime = 1_000_000;
export function reception(phyPayload: Uint8Array, more: Partial<Reception> = {}): Reception {
  concentratorTime += 1_000_000;
  return {
    gateway: "0000000000000a01",
    phyPayload: Buffer.from(phyPayload).toString("base64"),
    hz: 868_100_000,
    dataRate: "SF7BW125",
    codingRate: "4/5",
    concentratorTime: String(concentratorTime),
    rssi: -60,
    snr: 9,
    channel: 0,
    receivedAt: Date.now(),
    trust: "none",
    ...more,
  };
}

/** Resolves as soon as the condition holds. */
export const until = <T>(condition: () => T): Promise<NonNullable<T>> =>
  vi.waitFor(
    () => {
      const value = condition();
      if (!value) throw new Error("not yet");
      return value as NonNullable<T>;
    },
    { timeout: 20_000, interval: 5 },
  );

async function makeApplicationServer(network: TestNetwork) {
  const batches: Events[] = [];
  let refuse = false;
  let link: Link | undefined;
  let seen: Link | undefined;
  const listener: LinkListener = await listenLink(network.station("application-server"), {
    address: { host: "127.0.0.1", port: 0 },
    onLink: (opened) => {
      link = opened;
    },
    from: {
      "network-server": {
        events: {
          check: () => undefined,
          handle: (events: Events) => {
            if (refuse) throw new Fault("store/full", "no room");
            if (!batches.some(({ sequence }) => sequence === events.sequence)) batches.push(events);
            return {};
          },
        },
      },
    },
  });
  return {
    address: listener.address,
    batches,
    events: (): NetworkEvent[] => batches.toSorted((a, b) => a.sequence - b.sequence).flatMap(({ events }) => events),
    uplinks: () => batches.flatMap(({ events }) => events.filter((event) => event.is === "uplink")),
    refuse: (refusing: boolean) => {
      refuse = refusing;
    },
    ask: async <T>(method: string, body: unknown): Promise<T> => (await until(() => link)).request<T>(method, body),
    /** The network-server is connected, and its link is a new one since the last call. */
    connected: async () => {
      await until(() => link && link !== seen);
      seen = link;
    },
    close: () => listener.close(),
  };
}

function adminCall<T>(socketPath: string, method: string, path: string, body?: unknown): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = text === undefined ? {} : { "content-type": "application/json" };
    const asked = request({ socketPath, method, path, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString("utf8")) as T));
    });
    asked.on("error", reject);
    asked.end(text);
  });
}
