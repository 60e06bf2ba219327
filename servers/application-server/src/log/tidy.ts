/**
 * What decorates an uplink (signal, place, airtime) and is not as it should be is left out, as if it had not been sent: such an
 * uplink is delivered without it rather than refused with its whole batch.
 */
import type { NetworkEvent, RxMetadata } from "@trefoil/wire";
import type { Uplink } from "../json/messages.ts";

type Decorated<T, Name extends keyof T> = Omit<T, Name> & { readonly [name in Name]?: unknown };
/** As the schema lets them in. */
type LooseRx = Decorated<RxMetadata, "rssi" | "snr" | "channel" | "antenna" | "gpsTimeMs" | "location">;
type LooseUplink = Decorated<Omit<Uplink, "rxMetadata">, "airtimeMs" | "codingRate"> & { rxMetadata: LooseRx[] };

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isAirtime = (value: unknown): value is number => isNumber(value) && value >= 0;
const isName = (value: unknown): value is string => typeof value === "string" && value.length <= 16;
const isLocation = (value: unknown): value is RxMetadata["location"] => {
  if (typeof value !== "object" || value === null) return false;
  const { latitude, longitude, altitude } = value as { [name: string]: unknown };
  return isNumber(latitude) && isNumber(longitude) && isAbsentOr(isNumber, altitude);
};
const isAbsentOr = (is: (value: unknown) => boolean, value: unknown): boolean => value === undefined || is(value);

const rxDecorations = [
  ["snr", isNumber],
  ["channel", Number.isInteger],
  ["antenna", Number.isInteger],
  ["gpsTimeMs", isNumber],
  ["location", isLocation],
] as const;

/** The events with what is odd left out; the very same ones where nothing is. */
export function tidy(events: readonly NetworkEvent[]): readonly NetworkEvent[] {
  return events.every(isTidy) ? events : events.map((event) => (isTidy(event) ? event : tidied(event as LooseUplink)));
}

function isTidy(event: NetworkEvent): boolean {
  if (event.is !== "uplink") return true;
  return isAirtime(event.airtimeMs) && isAbsentOr(isName, event.codingRate) && event.rxMetadata.every(isTidyRx);
}

const isTidyRx = (rx: LooseRx): boolean =>
  isNumber(rx.rssi) && rxDecorations.every(([name, is]) => isAbsentOr(is, rx[name]));

/** Zero is what the messages leave out: proto3 cannot tell it from a value that is absent. */
function tidied({ codingRate, ...up }: LooseUplink): Uplink {
  return {
    ...up,
    ...(isName(codingRate) ? { codingRate } : {}),
    airtimeMs: isAirtime(up.airtimeMs) ? up.airtimeMs : 0,
    rxMetadata: up.rxMetadata.map(tidiedRx),
  };
}

function tidiedRx(loose: LooseRx): RxMetadata {
  const rx: { -readonly [name in keyof LooseRx]: LooseRx[name] } = { ...loose };
  for (const [name, is] of rxDecorations) if (!is(rx[name])) delete rx[name];
  return { ...(rx as Omit<RxMetadata, "rssi">), rssi: isNumber(loose.rssi) ? loose.rssi : 0 };
}
