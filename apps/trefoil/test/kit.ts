/** A whole network in a folder of its own, for scenario tests, and the plainest possible gateway and personalised device to talk to it. */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { Key } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import type { Address, Role } from "@trefoil/wire";
import loraPacketModule from "lora-packet";
import { call } from "../src/admin/client.ts";
import { createDevices, type DeviceKeys, type NewDevice } from "../src/commands/provision.ts";
import { isolatedConfig, throwAwayFolder } from "../src/demo/setting.ts";
import { type Network, type NetworkOptions, startNetwork } from "../src/supervisor/network.ts";

/** lora-packet is CommonJS compiled from TypeScript: Node sees the class, the type checker the module. */
const LoraPacket = loraPacketModule as unknown as typeof loraPacketModule.default;

export type TestNetwork = {
  readonly dataDir: string;
  readonly config: Config;
  readonly log: readonly string[];
  readonly network: Network;
  readonly address: (role: Role, listener: string) => Address;
  readonly pid: (role: Role) => number;
  /** Stops it and starts it again on the same folder. */
  readonly restart: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export async function startTestNetwork(options: Partial<NetworkOptions> = {}): Promise<TestNetwork> {
  const { dataDir: own, remove } = throwAwayFolder();
  const { dataDir = own } = options;
  const config = options.config ?? isolatedConfig();
  const log: string[] = [];
  const start = () =>
    startNetwork({
      config,
      dataDir,
      log: (_role, line) => void log.push(line),
      onHopeless: (failure) => void log.push(`hopeless: ${failure.message}`),
      ...options,
    });
  let network = await start().catch((error: unknown) => {
    remove();
    throw error;
  });
  const running = (role: Role) => {
    const found = network.running()[role];
    if (!found) throw new Error(`the ${role} is not running`);
    return found;
  };
  return {
    dataDir,
    config,
    log,
    get network() {
      return network;
    },
    address: (role, listener) => running(role).listeners[listener] as Address,
    pid: (role) => running(role).pid,
    restart: async () => {
      await network.stop();
      network = await start();
    },
    close: async () => {
      await network.stop();
      remove();
    },
  };
}

export type Credential = { readonly username: string; readonly password: string };
export async function createApplication(net: TestNetwork, applicationId: string): Promise<Credential> {
  const { mqtt } = await call<{ mqtt: Credential }>(net.dataDir, "application-server", "POST", "/applications", {
    applicationId,
  });
  return mqtt;
}

export const createGateway = (net: TestNetwork, gatewayId: string, eui: string) =>
  call(net.dataDir, "gateway-server", "POST", "/gateways", { gatewayId, eui });

/** A personalised LoRaWAN 1.0.x device whose frames are made by lora-packet. */
export type AbpDevice = {
  readonly devEui: string;
  readonly devAddr: string;
  readonly nwkSKey: Buffer;
  readonly appSKey: Buffer;
  fCnt: number;
};

export function makeAbpDevice(i: number): AbpDevice {
  return {
    devEui: (0x70b3d57ed0070000n + BigInt(i)).toString(16),
    devAddr: (0x01000000 + i).toString(16).padStart(8, "0"),
    nwkSKey: randomBytes(16),
    appSKey: randomBytes(16),
    fCnt: 0,
  };
}

export async function register(net: TestNetwork, applicationId: string, devices: readonly AbpDevice[]): Promise<void> {
  const rows = devices.map(({ devEui, devAddr, nwkSKey, appSKey }, i): NewDevice => {
    const keys = new Map<string, Key>([
      ["NwkSKey", new Key("NwkSKey", nwkSKey)],
      ["AppSKey", new Key("AppSKey", appSKey)],
    ]);
    return {
      applicationId,
      deviceId: `dev-${i}`,
      devEui,
      macVersion: "1.0.4",
      region: "EU868",
      keys: keys as DeviceKeys,
      abp: { devAddr },
    };
  });
  const { netId, asId } = net.config.network;
  const refused = (await createDevices({ dataDir: net.dataDir, netId, asId }, rows)).find((result) => !result.ok);
  if (refused) throw new Error(JSON.stringify(refused));
}

/** The device's next uplink, as octets on the air. */
export function nextUplink(device: AbpDevice, payload: Buffer, confirmed = false): Buffer {
  device.fCnt++;
  return LoraPacket.fromFields(
    {
      MType: confirmed ? "Confirmed Data Up" : "Unconfirmed Data Up",
      DevAddr: Buffer.from(device.devAddr, "hex"),
      FCtrl: { ADR: false, ADRACKReq: false, ACK: false, FPending: false },
      FCnt: device.fCnt,
      FPort: 1,
      payload,
    },
    device.appSKey,
    device.nwkSKey,
  ).getPHYPayload() as Buffer;
}

/** A gateway on Semtech UDP. Keeps what the server asked it to transmit. */
export type TestGateway = {
  readonly push: (frames: readonly Buffer[]) => void;
  readonly pulled: () => readonly { readonly data: string; readonly tmst: number }[];
  readonly socket: Socket;
  readonly close: () => void;
};

export async function openGateway(server: Address, eui: string): Promise<TestGateway> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const head = (type: number) =>
    Buffer.concat([Buffer.of(2), randomBytes(2), Buffer.of(type), Buffer.from(eui, "hex")]);
  const send = (datagram: Buffer) => socket.send(datagram, server.port, server.host);
  const pulled: { data: string; tmst: number }[] = [];
  socket.on("message", (datagram) => {
    if (datagram[3] !== 3) return;
    pulled.push((JSON.parse(datagram.subarray(4).toString("utf8")) as { txpk: { data: string; tmst: number } }).txpk);
    send(Buffer.concat([Buffer.of(2, datagram[1] as number, datagram[2] as number, 5), Buffer.from(eui, "hex")]));
  });
  const startedAt = performance.now();
  const pull = () => send(head(2));
  const timer = setInterval(pull, 1_000);
  pull();
  return {
    socket,
    pulled: () => pulled,
    push: (frames) => {
      const tmst = Math.floor((performance.now() - startedAt) * 1000) >>> 0;
      const rxpk = frames.map((frame) => ({
        tmst,
        chan: 0,
        rfch: 0,
        freq: 868.1,
        stat: 1,
        modu: "LORA",
        datr: "SF7BW125",
        codr: "4/5",
        lsnr: 9,
        rssi: -60,
        size: frame.length,
        data: frame.toString("base64"),
      }));
      send(Buffer.concat([head(0), Buffer.from(JSON.stringify({ rxpk }))]));
    },
    close: () => {
      clearInterval(timer);
      socket.close();
    },
  };
}

/** Waits until `met`, or fails with `what`. */
export async function until(what: string, met: () => boolean, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!met()) {
    if (Date.now() > end) throw new Error(`did not happen within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
