/** `settings` of an uplink (The Things Stack v3 TxSettings): data rate, frequency, timestamp. */
import type { DataRateName } from "@trefoil/wire";
import { quote } from "./text.ts";

/** Fragments of JSON by data rate and coding rate: a network uses a few dozen. */
const known = new Map<string, string>();
const most = 1_000;

/** `"data_rate":{…}` */
export function dataRateJson(dataRate: DataRateName, codingRate: string | undefined): string {
  const key = `${dataRate}|${codingRate}`;
  const cached = known.get(key);
  if (cached !== undefined) return cached;
  const text = `"data_rate":${JSON.stringify(parseDataRate(dataRate, codingRate))}`;
  if (known.size >= most) known.clear();
  known.set(key, text);
  return text;
}

/** `datr` of Semtech's packet forwarder as a data rate of The Things Stack. A name that is none of them gives no modulation. */
export function parseDataRate(dataRate: DataRateName, codingRate?: string): object {
  const coding = codingRate === undefined ? {} : { coding_rate: codingRate };
  if (typeof dataRate === "number") return { fsk: { bit_rate: dataRate } };
  const lora = /^SF(\d{1,2})BW(\d{1,4})$/.exec(dataRate);
  if (lora) return { lora: { bandwidth: Number(lora[2]) * 1000, spreading_factor: Number(lora[1]), ...coding } };
  const lrfhss = /^M(\d)CW(\d{1,4})$/.exec(dataRate);
  if (lrfhss) {
    const type = Number(lrfhss[1]);
    const modulation = type === 0 ? {} : { modulation_type: type };
    return { lrfhss: { ...modulation, operating_channel_width: Number(lrfhss[2]) * 1000, ...coding } };
  }
  return {};
}

/** The 32-bit microsecond counter that the field `timestamp` has room for: the low half of the 64-bit concentrator time. */
export function timestampOf(concentratorTime: string): number {
  if (concentratorTime.length <= 15) return Number(concentratorTime) % 0x1_0000_0000;
  return Number(BigInt(concentratorTime) & 0xffff_ffffn);
}

/** `"settings":{…}`. Zero and absent values are left out, as proto3 JSON does. */
export function settingsJson(
  hz: number,
  dataRate: DataRateName,
  codingRate: string | undefined,
  timestamp: number,
  time: string | undefined,
): string {
  return `"settings":{${dataRateJson(dataRate, codingRate)},"frequency":"${hz}"${
    timestamp === 0 ? "" : `,"timestamp":${timestamp}`
  }${time === undefined ? "" : `,"time":${quote(time)}`}}`;
}
