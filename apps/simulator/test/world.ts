/** Devices and a stub network in one air, on virtual time: exact, and as fast as the machine. */
import { Device, type DeviceOptions } from "../src/device/device.ts";
import type { DeviceEvent } from "../src/device/events.ts";
import type { MacVersion } from "../src/device/versions.ts";
import { VirtualClock } from "../src/radio/clock.ts";
import { type Emission, Medium } from "../src/radio/medium.ts";
import { airtimeUs, rateName } from "../src/radio/modulation.ts";
import { seededRandom } from "../src/random.ts";
import { type Region, regions } from "../src/regions/index.ts";
import type { DeviceCredentials } from "../src/scenario/credentials.ts";
import { StubNetwork } from "./stub-network.ts";

const random = seededRandom("world");
const key = () => Uint8Array.from({ length: 16 }, () => random.int(256));

export type World = ReturnType<typeof world>;

/** One device near one gateway that belongs to the stub network. */
export function world(version: MacVersion, changes: Partial<DeviceOptions> = {}, regionName: Region["name"] = "EU868") {
  const clock = new VirtualClock();
  const medium = new Medium(clock, { exponent: 2.9, shadowingDb: 0, seed: 1 });
  const region = regions[regionName];
  const keys = version === "1.1" ? { appKey: key(), nwkKey: key() } : { appKey: key() };
  const identity: DeviceCredentials = { devEui: "70b3d57ed0000001", joinEui: "70b3d57ed0001001", version, keys };
  const network = new StubNetwork([identity]);
  const gateway = { id: "gateway", position: [100, 0, 10] as const };
  const sent: Emission[] = [];
  const adjust = { offsetUs: 0, hz: 0, inverted: true };

  medium.addEar({
    place: gateway,
    locks: ({ inverted }) => !inverted,
    ended: (emission, quality) => {
      if (quality === undefined) return;
      const dr = region.rates.findIndex((rate) => rate !== undefined && rateName(rate) === rateName(emission.rate));
      const answer = network.heard(emission.octets, { hz: emission.hz, dr });
      if (answer === undefined) return;
      const { rx2 } = region;
      const { dlSettings } = network.plan;
      const [offset, rx2Dr] = answer.isJoin ? [0, rx2.dr] : [(dlSettings >> 4) & 7, dlSettings & 15];
      const channel = region.channels.findIndex(({ hz }) => hz === emission.hz);
      const rx1 = { hz: region.rx1Hz?.[channel % 8] ?? emission.hz, dr: region.rx1Dr[dr]?.[offset] as number };
      const radio = answer.window === "RX1" ? rx1 : { hz: rx2.hz, dr: rx2Dr };
      const rate = region.rates[radio.dr] as Emission["rate"];
      const startUs = emission.endUs + answer.delayUs + adjust.offsetUs;
      const endUs = startUs + airtimeUs(rate, answer.phyPayload.length, { crc: false });
      medium.emit({
        from: gateway,
        startUs,
        endUs,
        hz: radio.hz + adjust.hz,
        rate,
        inverted: adjust.inverted,
        eirpDbm: 14,
        octets: answer.phyPayload,
      });
    },
  });
  medium.tap((emission) => sent.push(emission));

  const options: DeviceOptions = {
    ...identity,
    region,
    clock,
    medium,
    position: [0, 0, 1],
    random: seededRandom(`device/${version}`),
    ...changes,
  };
  const device = new Device(options);
  const events: DeviceEvent[] = [];
  device.on((event) => events.push(event));
  return {
    ...{ clock, medium, network, device, options, events, sent, gateway, identity, adjust },
    /** Runs the world until the promise settles. */
    until: <T>(promise: Promise<T>) => clock.until(promise),
    uplinks: () => sent.filter(({ inverted }) => !inverted),
    of: <Is extends DeviceEvent["is"]>(is: Is) =>
      events.filter((event): event is Extract<DeviceEvent, { is: Is }> => event.is === is),
  };
}

/** The same, joined. */
export async function joined(
  version: MacVersion,
  changes: Partial<DeviceOptions> = {},
  regionName: Region["name"] = "EU868",
) {
  const one = world(version, changes, regionName);
  if (!(await one.until(one.device.join()))) throw new Error("the device did not join");
  return one;
}
