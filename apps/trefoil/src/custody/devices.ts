/**
 * The virtual devices of the proof, as a process of its own that does as it is told: one JSON order a line on standard input, one JSON answer a
 * line on standard output. They are the simulator's, a stranger to the network. Root keys come in by standard input.
 */
import { createInterface } from "node:readline";
import {
  credentialsFromJson,
  Device,
  fromHex,
  Gateway,
  Medium,
  RealClock,
  type Region,
  type RejoinType,
  regions,
  seededRandom,
  toHex,
} from "@trefoil/simulator";
import type { Address } from "@trefoil/wire";

export type Order = { readonly id: number } & (
  | {
      readonly do: "begin";
      readonly server: Address;
      readonly region: string;
      readonly gateways: readonly string[];
      /** As the simulator writes them. */
      readonly credentials: string;
    }
  | { readonly do: "join"; readonly devEui: string }
  | { readonly do: "rejoin"; readonly devEui: string; readonly type: RejoinType }
  | { readonly do: "send"; readonly devEui: string; readonly payload: string; readonly confirmed: boolean }
);
export type Answer = {
  readonly id: number;
  /** A join or rejoin was answered; a frame was sent. */
  readonly done: boolean;
  /** Payloads that came down meanwhile, hex. */
  readonly payloads?: readonly string[];
  readonly error?: string;
};

const clock = new RealClock();
const devices = new Map<string, Device>();

async function carryOut(order: Order): Promise<Omit<Answer, "id">> {
  if (order.do === "begin") return begin(order);
  const device = devices.get(order.devEui);
  if (device === undefined) throw new Error("no such device");
  switch (order.do) {
    case "join":
      return { done: await device.join() };
    case "rejoin":
      return { done: await device.rejoin({ type: order.type }) };
    case "send": {
      const { downlinks } = await device.send({
        fPort: 1,
        payload: fromHex(order.payload),
        confirmed: order.confirmed,
      });
      return { done: true, payloads: downlinks.flatMap(({ data }) => (data ? [toHex(data.payload)] : [])) };
    }
  }
}

async function begin({ server, region: name, gateways, credentials }: Order & { do: "begin" }) {
  const region = (regions as { readonly [name: string]: Region })[name];
  if (region === undefined) throw new Error("no such region");
  const medium = new Medium(clock, { exponent: 2.5, shadowingDb: 0, seed: 1 });
  const shared = { region, clock, medium };
  const random = () => seededRandom(`${Date.now()}/${Math.random()}`);
  await Promise.all(
    gateways.map((eui) => new Gateway({ ...shared, eui, position: [0, 0, 10], server, random: random() }).start()),
  );
  for (const [i, { devEui, joinEui, version, keys }] of credentialsFromJson(credentials).entries()) {
    const position = [20 + 5 * i, 10, 1] as const;
    devices.set(devEui, new Device({ ...shared, devEui, joinEui, version, keys, position, random: random() }));
  }
  return { done: true };
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  const answer = (rest: Omit<Answer, "id">) => process.stdout.write(`${JSON.stringify({ id: order.id, ...rest })}\n`);
  carryOut(order).then(answer, (error: unknown) => answer({ done: false, error: String(error) }));
}
process.exit(0);
