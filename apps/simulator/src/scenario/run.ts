/** Plays a scenario against a server: gateways on real sockets, devices in one air, all on the machine's clock. */
import { Device, type DeviceMemory } from "../device/device.ts";
import type { DeviceEvent } from "../device/events.ts";
import { Gateway, type GatewayCounts, type GatewayEvent } from "../gateway/gateway.ts";
import { RealClock } from "../radio/clock.ts";
import { Medium } from "../radio/medium.ts";
import type { Position } from "../radio/propagation.ts";
import { type Random, seededRandom } from "../random.ts";
import { regions } from "../regions/index.ts";
import type { DeviceCredentials } from "./credentials.ts";
import type { Memories } from "./memory-file.ts";
import { bayEvents, encodeBay } from "./parking-bay.ts";
import { type Scenario, ScenarioError } from "./scenario.ts";

export type RunCounts = {
  joins: number;
  joinRequests: number;
  joinsFailed: number;
  /** Frames with a counter of their own; repetitions are in `transmissions`. */
  uplinksSent: number;
  transmissions: number;
  confirmedSent: number;
  confirmedAcknowledged: number;
  lost: number;
  downlinksRx1: number;
  downlinksRx2: number;
  refused: number;
  applicationDownlinks: number;
};
export type RunEvent =
  | DeviceEvent
  | (GatewayEvent & { readonly gateway: string })
  /** A message that a bay has to say, before it goes on the air. */
  | {
      readonly is: "message";
      readonly devEui: string;
      readonly occupied: boolean;
      readonly reason: string;
      readonly payload: Uint8Array;
    };

export type RunOptions = {
  readonly scenario: Scenario;
  readonly server: { readonly host: string; readonly port: number };
  readonly devices: readonly DeviceCredentials[];
  readonly seed?: string | number;
  /** In place of the scenario's own. */
  readonly speed?: number;
  readonly onEvent?: (event: RunEvent) => void;
  /** What the devices remember from an earlier run, by DevEUI. New devices are added, and all are kept up to date. */
  readonly memories?: Memories;
  /** Begins to stop when this many uplinks (frames, not repetitions) were sent; all windows are waited for. */
  readonly uplinks?: number;
};
export type Run = {
  readonly counts: RunCounts;
  readonly devices: readonly Device[];
  readonly gateways: readonly Gateway[];
  readonly medium: Medium;
  readonly clock: RealClock;
  /** Settles when the run has ended: by `stop` or by the number of uplinks. */
  readonly done: Promise<RunCounts>;
  /** No new messages; what is on its way is finished, for at most `graceMs`. */
  stop(graceMs?: number): Promise<RunCounts>;
};

const hour = 3_600_000_000;
/** Joins need their last window; repetitions of confirmed frames may need longer and are cut off. */
const usualGraceMs = 8_000;

/** Starts at once. Rejects when no socket can be opened. */
export async function runScenario({
  scenario,
  server,
  devices: credentials,
  onEvent = () => undefined,
  ...options
}: RunOptions): Promise<Run> {
  if (credentials.length !== scenario.devices.count) {
    throw new ScenarioError(
      `the scenario has ${scenario.devices.count} devices, but credentials for ${credentials.length} were given`,
    );
  }
  const region = regions[scenario.region];
  const random = seededRandom(options.seed ?? Date.now());
  const speed = options.speed ?? scenario.speed;
  const clock = new RealClock();
  const medium = new Medium(clock, { ...scenario.radio, seed: random.int(2 ** 31) });
  const counts: RunCounts = {
    ...{
      joins: 0,
      joinRequests: 0,
      joinsFailed: 0,
      uplinksSent: 0,
      transmissions: 0,
      confirmedSent: 0,
      confirmedAcknowledged: 0,
    },
    ...{ lost: 0, downlinksRx1: 0, downlinksRx2: 0, refused: 0, applicationDownlinks: 0 },
  };

  const gateways = scenario.gateways.map(
    ({ eui, position }) =>
      new Gateway({ eui, position, region, clock, medium, server, random: seededRandom(`${eui}/${Date.now()}`) }),
  );
  for (const gateway of gateways) gateway.on((event) => onEvent({ ...event, gateway: gateway.eui }));
  await Promise.all(gateways.map((gateway) => gateway.start()));

  const remember = (devEui: string): DeviceMemory => {
    const memory = options.memories?.get(devEui) ?? { devNonce: 0, joinNonce: -1 };
    options.memories?.set(devEui, memory);
    return memory;
  };
  const devices = credentials.map(
    (one, i) =>
      new Device({
        ...one,
        region,
        clock,
        medium,
        position: bayPosition(scenario, i),
        memory: remember(one.devEui),
        random: random.fork(one.devEui),
        battery: 200 + (i % 50),
      }),
  );
  let stopping = false;
  let busy = 0;
  const { promise: done, resolve } = Promise.withResolvers<RunCounts>();

  const finish = async (graceMs: number): Promise<RunCounts> => {
    if (!stopping) {
      stopping = true;
      for (const device of devices) device.stop();
      for (let left = graceMs; left > 0 && busy > 0; left -= 50) await new Promise((wait) => setTimeout(wait, 50));
      clock.close();
      await Promise.all(gateways.map((gateway) => gateway.close()));
      resolve(counts);
    }
    return done;
  };

  const watch = (event: DeviceEvent): void => {
    count(counts, event);
    onEvent(event);
    if (options.uplinks !== undefined && counts.uplinksSent >= options.uplinks) void finish(usualGraceMs);
  };
  const track = async (work: Promise<unknown>): Promise<void> => {
    busy++;
    await work.catch(() => undefined);
    busy--;
  };

  const live = (device: Device, own: Random): void => {
    const startUs = clock.now();
    const events = bayEvents(scenario, own.fork("bay"));
    const next = (): void => {
      if (stopping) return;
      const event = events.next().value;
      clock.at(startUs + (event.atHours * hour) / speed, () => {
        if (stopping) return;
        const { devices: bay } = scenario;
        const celsius = 12 + 8 * Math.sin(((scenario.startHour + event.atHours - 9) * Math.PI) / 12);
        const payload =
          bay.payloadOctets > 0
            ? Uint8Array.from({ length: bay.payloadOctets }, () => own.int(256))
            : encodeBay(event, 220, celsius);
        onEvent({ is: "message", devEui: device.devEui, occupied: event.occupied, reason: event.reason, payload });
        void track(device.send({ fPort: bay.fPort, payload, confirmed: own.next() < bay.confirmedShare })).then(next);
      });
    };
    next();
  };

  devices.forEach((device, i) => {
    const own = random.fork(`life/${i}`);
    device.on(watch);
    const persist = async (): Promise<void> => {
      while (!stopping && !(await device.join()))
        await new Promise<void>((wait) => clock.at(clock.now() + own.between(30, 60) * 1e6, wait));
      if (!stopping) live(device, own);
    };
    clock.at(clock.now() + own.next() * scenario.devices.switchOnSeconds * 1e6, () => void track(persist()));
  });

  return { counts, devices, gateways, medium, clock, done, stop: (graceMs = usualGraceMs) => finish(graceMs) };
}

function bayPosition({ devices: { grid } }: Scenario, i: number): Position {
  return [(i % grid.columns) * grid.spacing[0], Math.floor(i / grid.columns) * grid.spacing[1], grid.height];
}

function count(counts: RunCounts, event: DeviceEvent): void {
  switch (event.is) {
    case "join-request":
      counts.joinRequests++;
      break;
    case "joined":
      counts.joins++;
      counts[event.window === "RX1" ? "downlinksRx1" : "downlinksRx2"]++;
      break;
    case "join-failed":
      counts.joinsFailed++;
      break;
    case "uplink":
      counts.transmissions++;
      if (event.tryNumber > 1) break;
      counts.uplinksSent++;
      if (event.confirmed) counts.confirmedSent++;
      break;
    case "acknowledged":
      counts.confirmedAcknowledged++;
      break;
    case "lost":
      counts.lost++;
      break;
    case "downlink":
      counts[event.window === "RX1" ? "downlinksRx1" : "downlinksRx2"]++;
      if (event.data !== undefined) counts.applicationDownlinks++;
      break;
    case "refused":
      counts.refused++;
      break;
  }
}

export const gatewayTotals = (gateways: readonly Gateway[]): GatewayCounts =>
  gateways.reduce<GatewayCounts>(
    (sum, { counts }) => ({
      received: sum.received + counts.received,
      pushed: sum.pushed + counts.pushed,
      acknowledged: sum.acknowledged + counts.acknowledged,
      downlinks: sum.downlinks + counts.downlinks,
      sent: sum.sent + counts.sent,
      refused: sum.refused + counts.refused,
    }),
    { received: 0, pushed: 0, acknowledged: 0, downlinks: 0, sent: 0, refused: 0 },
  );
