/** One class A exchange on the air: an uplink, then RX1, then RX2 unless RX1 brought what was waited for. TS001-1.0.4 §3.3 */
import type { Clock } from "../radio/clock.ts";
import type { Heard, Medium } from "../radio/medium.ts";
import { airtimeUs } from "../radio/modulation.ts";
import type { Place } from "../radio/propagation.ts";
import type { Region } from "../regions/index.ts";
import { classAWindows, type ReceiveWindow, rateOf, type Settings, type WindowName } from "./settings.ts";

export type DeviceRadio = {
  readonly clock: Clock;
  readonly medium: Medium;
  readonly place: Place;
  readonly region: Region;
  /** How far from the instant a preamble may start and still be heard. */
  readonly toleranceUs: number;
  readonly antennaGainDbi: number;
};
export type Transmission = {
  readonly phyPayload: Uint8Array;
  readonly channel: number;
  readonly dr: number;
  readonly isJoin: boolean;
};
export type Flight = {
  readonly startUs: number;
  readonly endUs: number;
  readonly hz: number;
  readonly airtimeUs: number;
};

/**
 * Sends now and listens. `heard` is asked for each frame caught and says whether it was for this device; `closed` comes
 * when the last window is over.
 */
export function exchange(
  radio: DeviceRadio,
  settings: Settings,
  { phyPayload, channel, dr, isJoin }: Transmission,
  handlers: { heard(frame: Heard, window: WindowName): boolean; closed(): void },
): Flight {
  const { clock, medium, place, region, toleranceUs } = radio;
  const rate = rateOf(region, dr);
  const hz = settings.channels[channel]?.hz;
  if (hz === undefined) throw new RangeError(`channel ${channel} is not defined`);
  const startUs = clock.now();
  const airtime = airtimeUs(rate, phyPayload.length);
  const endUs = startUs + airtime;
  const eirpDbm = region.maxEirpDbm - 2 * settings.txPowerIndex + radio.antennaGainDbi;
  medium.emit({ from: place, startUs, endUs, hz, rate, inverted: false, eirpDbm, octets: phyPayload });

  const [rx1, rx2] = classAWindows(region, settings, { endUs, channel, dr, isJoin });
  const open = (window: ReceiveWindow, done: (heard: Heard | undefined) => void) =>
    medium.listen({ at: place, opensUs: window.opensUs, toleranceUs, hz: window.hz, rate: window.rate }, done);
  clock.at(endUs, () =>
    open(rx1, (first) => {
      if (first !== undefined && handlers.heard(first, rx1.name)) return handlers.closed();
      // A receiver that is still busy with a stranger's frame misses the second window.
      if (first !== undefined && first.endUs > rx2.opensUs - toleranceUs) return handlers.closed();
      open(rx2, (second) => {
        if (second !== undefined) handlers.heard(second, rx2.name);
        handlers.closed();
      });
    }),
  );
  return { startUs, endUs, hz, airtimeUs: airtime };
}
