/**
 * ChMaskCntl and ChMask of LinkADRReq (TS001-1.0.4 §5.3): each region names one of five tables, and each table is here both
 * as what a device does with a command and as the commands that bring about a wanted set.
 */
import type { ChannelMaskKind, RegionParameters } from "./types.ts";

export type ChannelMaskCommand = { readonly chMaskCntl: number; readonly chMask: number };

type Meaning =
  /** ChMask holds 16 channels from this one on. */
  | { readonly is: "block"; readonly first: number }
  | { readonly is: "all"; readonly on: boolean }
  /** All 125 kHz channels on or off; the 8 low bits are channels 64 to 71. */
  | { readonly is: "all-125-kHz"; readonly on: boolean }
  /** Bit i: 125 kHz channels 8i to 8i + 7 and 500 kHz channel 64 + i. */
  | { readonly is: "banks" };
const block = (first: number): Meaning => ({ is: "block", first });
const on: Meaning = { is: "all", on: true };
const off: Meaning = { is: "all", on: false };
const rfu = undefined;

/** By ChMaskCntl. */
const tables: { readonly [kind in ChannelMaskKind]: readonly (Meaning | undefined)[] } = {
  mask16: [block(0), rfu, rfu, rfu, rfu, rfu, on],
  mask48: [block(0), block(16), block(32), on, off],
  mask64: [block(0), block(16), block(32), block(48), rfu, rfu, on, off],
  mask72: [
    block(0),
    block(16),
    block(32),
    block(48),
    block(64),
    { is: "banks" },
    { is: "all-125-kHz", on: true },
    { is: "all-125-kHz", on: false },
  ],
  mask96: [block(0), block(16), block(32), block(48), block(64), block(80), on],
};

/**
 * The enabled channels after one command. `defined` are the channels that the device knows (all in fixed plans).
 * `undefined` when ChMaskCntl is RFU or a bit enables a channel that is not defined: a device answers ChannelMaskACK 0.
 */
export function applyChannelMask(
  region: RegionParameters,
  enabled: ReadonlySet<number>,
  defined: ReadonlySet<number>,
  { chMaskCntl, chMask }: ChannelMaskCommand,
): ReadonlySet<number> | undefined {
  const meaning = tables[region.channelMask][chMaskCntl];
  if (!meaning) return undefined;
  if (meaning.is === "all") return new Set(meaning.on ? defined : []);
  const next = new Set(enabled);
  const put = (channel: number, wanted: boolean) => (wanted ? next.add(channel) : next.delete(channel));
  const bit = (i: number) => ((chMask >> i) & 1) === 1;
  if (meaning.is === "block") for (let i = 0; i < 16; i++) put(meaning.first + i, bit(i));
  if (meaning.is === "banks")
    for (let channel = 0; channel < 72; channel++) put(channel, bit(channel < 64 ? channel >> 3 : channel - 64));
  if (meaning.is === "all-125-kHz")
    for (let channel = 0; channel < 72; channel++) put(channel, channel < 64 ? meaning.on : bit(channel - 64));
  return [...next].every((channel) => defined.has(channel)) ? next : undefined;
}

/** Commands that leave exactly `wanted` enabled, whatever was before. Sent as one block of LinkADRReq. */
export function channelMaskCommands(region: RegionParameters, wanted: ReadonlySet<number>): ChannelMaskCommand[] {
  const mask = (first: number, count = 16) => {
    let bits = 0;
    for (let i = 0; i < count; i++) if (wanted.has(first + i)) bits |= 1 << i;
    return bits;
  };
  const table = tables[region.channelMask];
  const blocks = table.flatMap((meaning, chMaskCntl) =>
    meaning?.is === "block" ? [{ chMaskCntl, chMask: mask(meaning.first), first: meaning.first }] : [],
  );
  const whole = table.findIndex((meaning) => meaning?.is === "all" && meaning.on);
  if (region.plan === "fixed" && whole >= 0 && wanted.size === region.maxChannels)
    return [{ chMaskCntl: whole, chMask: 0 }];
  if (region.channelMask !== "mask72") return blocks.map(({ chMaskCntl, chMask }) => ({ chMaskCntl, chMask }));
  const narrow = blocks.filter(({ first }) => first < 64);
  if (narrow.every(({ chMask }) => chMask === 0xffff)) return [{ chMaskCntl: 6, chMask: mask(64, 8) }];
  const some = narrow.filter(({ chMask }) => chMask !== 0).map(({ chMaskCntl, chMask }) => ({ chMaskCntl, chMask }));
  return [{ chMaskCntl: 7, chMask: mask(64, 8) }, ...some];
}
