/** Data rates and time on air. SX1276 data sheet §4.1.1.7; RP002-1.0.4 §4 */
export type LoraRate = { readonly sf: number; readonly bwHz: number };
export type FskRate = { readonly bitrate: number };
export type Rate = LoraRate | FskRate;

export const isLora = (rate: Rate): rate is LoraRate => "sf" in rate;

/** "SF7BW125", "FSK50000": equal text, equal modulation. */
export const rateName = (rate: Rate): string =>
  isLora(rate) ? `SF${rate.sf}BW${rate.bwHz / 1000}` : `FSK${rate.bitrate}`;

export const symbolUs = ({ sf, bwHz }: LoraRate): number => (2 ** sf * 1_000_000) / bwHz;

/** Microseconds on the air, rounded. Explicit header, coding rate 4/5, 8 preamble symbols; downlinks carry no payload CRC. */
export function airtimeUs(rate: Rate, octets: number, { crc = true, preamble = 8, codingRate = 1 } = {}): number {
  if (!isLora(rate)) return Math.round(((octets + 11) * 8 * 1_000_000) / rate.bitrate);
  const { sf } = rate;
  const symbol = symbolUs(rate);
  const short = sf < 7;
  const lowRate = !short && symbol >= 16_000 ? 1 : 0;
  const bits = 8 * octets - 4 * sf + (short ? 20 : 28) + (crc ? 16 : 0);
  const payload = 8 + Math.max(0, Math.ceil(bits / (4 * (sf - 2 * lowRate)))) * (codingRate + 4);
  return Math.round((preamble + (short ? 6.25 : 4.25) + payload) * symbol);
}

/** The weakest signal-to-noise ratio, in dB, at which a spreading factor is still demodulated. */
export const snrLimit = (sf: number): number => 10 - 2.5 * sf;
const noiseFigureDb = 6;
export const noiseFloorDbm = (bwHz: number): number => -174 + 10 * Math.log10(bwHz) + noiseFigureDb;

export function sensitivityDbm(rate: Rate): number {
  return isLora(rate) ? noiseFloorDbm(rate.bwHz) + snrLimit(rate.sf) : -108;
}
