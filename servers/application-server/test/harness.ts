/** A whole application-server in this process, with a network-server that the test plays over the real link, and MQTT clients. */
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import {
  encodeKekFile,
  encodeSealingKey,
  type Key,
  type LabelledKek,
  makeKey,
  makeSealingKeyPair,
  parseReceiver,
  sealKeys,
  wrapEnvelope,
} from "@trefoil/custody";
import { cryptFrmPayload, KeySchedule } from "@trefoil/lorawan";
import { type ConnectedLink, connectLink, method } from "@trefoil/service";
import { type InProcess, makeTestNetwork, startInProcess, type TestNetwork } from "@trefoil/service/testing";
import type { Address, ApplicationDevice, Events, NetworkEvent, Role, RxMetadata } from "@trefoil/wire";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import Type from "typebox";
import { definition } from "../src/definition.ts";

/** RSA keys take a second to make: one for all tests of a file. */
const sealing = makeSealingKeyPair();
export const sealingPublicKey: string = sealing.published.publicKey;
export const kek: LabelledKek = { label: "as/test", key: makeKey("KEK", 32) };

export type Answers = {
  [method in "downlink.reserve" | "downlink.offer" | "downlink.withdraw"]?: (body: never) => unknown;
};

export const vault = makeSealingKeyPair();

export async function makeFolder(...others: Role[]): Promise<TestNetwork> {
  const network = await makeTestNetwork("application-server", "network-server", ...others);
  const folder = network.dataDir("application-server");
  writeFileSync(join(folder, "kek.key"), encodeKekFile(kek));
  writeFileSync(join(folder, "vault.pub"), vault.published.publicKey);
  writeFileSync(join(folder, "sealing.key"), encodeSealingKey(sealing.privateKey));
  return network;
}

export const startServer = (network: TestNetwork, change: object = {}): Promise<InProcess> =>
  startInProcess(definition, network.boot("application-server", change));

/** The part of a network-server that an application-server sees. */
export class FakeNetworkServer {
  readonly link: ConnectedLink;
  readonly asked: { method: string; body: Record<string, unknown> }[] = [];
  #sequence = 0;

  constructor(network: TestNetwork, address: Address, answers: Answers = {}) {
    const methods = Object.fromEntries(
      Object.entries(answers).map(([name, answer]) => [
        name,
        method(Type.Unknown(), (body) => {
          this.asked.push({ method: name, body: body as Record<string, unknown> });
          return (answer as (body: unknown) => unknown)(body);
        }),
      ]),
    );
    this.link = connectLink(network.station("network-server"), { to: "application-server", address, methods });
  }

  async up(): Promise<void> {
    await new Promise<void>((resolve) => this.link.onUp(() => resolve()));
  }
  async send(...events: NetworkEvent[]): Promise<Events> {
    const batch = { sequence: ++this.#sequence, events };
    await this.link.request("events", batch);
    return batch;
  }
  /** It is the same network-server still. */
  continue(former: FakeNetworkServer): void {
    this.#sequence = former.#sequence;
  }
  resend(batch: Events): Promise<unknown> {
    return this.link.request("events", batch);
  }
}

let counter = 0;
const nextId = (kind: string) => `${kind}-${++counter}`;

/** A device that the test plays: it knows its AppSKey. */
export class FakeDevice {
  readonly devEui: string;
  readonly deviceId: string;
  readonly joinEui = "70b3d57ed0000000";
  readonly devAddr: string;
  sessionKeyId: string;
  key: Key<"AppSKey"> = makeKey("AppSKey");
  fCntUp = 0;
  readonly rxMetadata: RxMetadata = {
    gateway: "0016c001ff10a235",
    gatewayId: "roof",
    rssi: -57,
    snr: 9.5,
    channel: 2,
    concentratorTime: "7251234567",
    receivedAt: 1_764_000_000_123,
    trust: "none",
  };

  constructor(n: number) {
    this.devEui = `00112233445566${n.toString(16).padStart(2, "0")}`;
    this.deviceId = `sensor-${n}`;
    this.devAddr = `260000${n.toString(16).padStart(2, "0")}`;
    this.sessionKeyId = `00000000000000000000000000${n.toString(16).padStart(2, "0")}0000`;
  }

  registration(applicationId: string): ApplicationDevice {
    return { applicationId, deviceId: this.deviceId, devEui: this.devEui, joinEui: this.joinEui };
  }
  abp(applicationId: string, publicKey = sealingPublicKey): ApplicationDevice {
    const { devAddr, sessionKeyId, devEui, joinEui } = this;
    const receiver = parseReceiver(publicKey);
    if (receiver === undefined) throw new Error("no receiver");
    const sealed = sealKeys(receiver, [{ key: this.key, joinEui, devEui }]);
    return { ...this.registration(applicationId), abp: { devAddr, sessionKeyId, sealed } };
  }

  /** A new session, with a new key, in an envelope for the application-server. */
  join(): NetworkEvent {
    this.key = makeKey("AppSKey");
    this.sessionKeyId = Buffer.from(nextId("session").padStart(16)).toString("hex");
    this.fCntUp = 0;
    return { ...this.#common("join"), is: "join", joinEui: this.joinEui, appSKey: wrapEnvelope(kek, this.key) };
  }

  uplink(text: string, change: object = {}): NetworkEvent {
    const fCntUp = this.fCntUp++;
    const frmPayload = Buffer.from(this.crypt("up", fCntUp, Buffer.from(text))).toString("base64");
    return {
      ...this.#common("uplink"),
      is: "uplink",
      fCntUp,
      fPort: 1,
      frmPayload,
      confirmed: false,
      hz: 868_100_000,
      dataRate: "SF7BW125",
      codingRate: "4/5",
      airtimeMs: 56.576,
      rxMetadata: [this.rxMetadata],
      ...change,
    };
  }

  crypt(direction: "up" | "down", fCnt: number, octets: Uint8Array): Uint8Array {
    const schedule = this.key.expose((key) => new KeySchedule(key));
    return cryptFrmPayload(schedule, direction, Number.parseInt(this.devAddr, 16), fCnt, octets);
  }

  #common(kind: string) {
    const { devEui, devAddr, sessionKeyId } = this;
    return { id: nextId(kind), devEui, devAddr, sessionKeyId, at: 1_764_000_000_456 };
  }

  about(is: "downlink.acknowledged" | "downlink.not-acknowledged", queueId: string, fCntDown: number): NetworkEvent {
    return { ...this.#common("down"), is, queueId, fCntDown };
  }
  sent(queueId: string, fCntDown: number): NetworkEvent {
    return { ...this.#common("down"), is: "downlink.sent", queueId, fCntDown, gatewayId: "roof" };
  }
  lost(
    is: "downlink.invalidated" | "downlink.failed",
    queueId: string,
    fCntDown: number,
    reason: string,
  ): NetworkEvent {
    return { ...this.#common("down"), is, queueId, fCntDown, reason };
  }
}

/** Resolves when `isSo`; looks whenever something may have happened. The test's own time limit ends it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** The value of one line of /metrics. */
export async function metric(running: Pick<InProcess, "listeners">, line: string): Promise<number> {
  const { host, port } = running.listeners.http as Address;
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  const found = text.split("\n").find((one) => one.startsWith(`${line} `));
  return found === undefined ? 0 : Number(found.slice(line.length + 1));
}

export type AdminAnswer = { readonly status: number; readonly body: never };
export function admin(network: TestNetwork, verb: string, path: string, body?: unknown): Promise<AdminAnswer> {
  const socketPath = join(network.dataDir("application-server"), "admin.sock");
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { "content-type": "application/json" };
    const request = httpRequest({ socketPath, path, method: verb, headers }, (response) => {
      let answer = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        answer += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(answer) as never }));
    });
    request.on("error", reject);
    request.end(text);
  });
}

export async function createApplication(network: TestNetwork, applicationId: string): Promise<IClientOptions> {
  const { body } = await admin(network, "POST", "/applications", { applicationId });
  return (body as { mqtt: { username: string; password: string } }).mqtt;
}

export type Message = {
  readonly topic: string;
  readonly json: Record<string, never>;
  readonly qos: number;
  readonly dup: boolean;
  readonly packetId: number | undefined;
};

/** The clear text of an uplink. */
export function textOf(message: Message | undefined): string {
  const { uplink_message: up } = (message?.json ?? {}) as { uplink_message?: { frm_payload?: string } };
  return Buffer.from(up?.frm_payload ?? "", "base64").toString();
}

/** An MQTT client that keeps what it got. */
export class Subscriber {
  readonly client: MqttClient;
  readonly messages: Message[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(address: Address, options: IClientOptions) {
    this.client = mqtt.connect({
      host: address.host,
      port: address.port,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ...options,
    });
    this.client.on("error", () => undefined);
    this.client.on("message", (topic, payload, { qos, dup, messageId: packetId }) => {
      this.messages.push({ topic, json: JSON.parse(payload.toString()), qos, dup, packetId });
      for (const look of this.#waiting.splice(0)) look();
    });
  }

  /** Resolves with the CONNACK's return code. */
  async connected(): Promise<number> {
    return new Promise((resolve) => {
      this.client.once("connect", () => resolve(0));
      this.client.once("error", (error) => resolve((error as { code?: number }).code ?? -1));
    });
  }
  async subscribe(filter: string, qos: 0 | 1 | 2 = 1): Promise<number> {
    const granted = await this.client.subscribeAsync(filter, { qos }).catch(() => [{ qos: 128 }]);
    return granted[0]?.qos ?? -1;
  }
  /** The messages, once there are `count` of them. */
  async got(count: number): Promise<Message[]> {
    while (this.messages.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.messages;
  }
  ids(): string[] {
    return this.messages.map(({ json }) => (json.correlation_ids as unknown as string[])[0] as string);
  }
  async end(): Promise<void> {
    await this.client.endAsync(true);
  }
}

export async function subscriber(
  running: InProcess,
  options: IClientOptions,
  ...filters: string[]
): Promise<Subscriber> {
  const made = new Subscriber(running.listeners.mqtt as Address, options);
  await made.connected();
  for (const filter of filters) await made.subscribe(filter);
  return made;
}
