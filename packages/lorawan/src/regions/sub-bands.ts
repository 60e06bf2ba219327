/** What the law allows where: sub-bands with a duty cycle, and radiated power. */
import type { RegionParameters, SubBand } from "./types.ts";

/** `undefined`: no duty-cycle rule applies here, or (where the region has rules) no transmission is allowed: see `mayTransmitAt`. */
export const subBandAt = (region: RegionParameters, hz: number): SubBand | undefined =>
  region.subBands.find(({ fromHz, toHz }) => hz >= fromHz && hz <= toHz);

/** AS923 names sub-bands for its default channels alone; elsewhere a gap between sub-bands is closed. */
const gapsAreClosed = (region: RegionParameters) => region.subBands.length > 0 && !region.name.startsWith("AS923");

/** Within the region's frequencies and in no gap between its sub-bands. */
export function mayTransmitAt(region: RegionParameters, hz: number): boolean {
  const [from, to] = region.frequencyRangeHz;
  return hz >= from && hz <= to && (!gapsAreClosed(region) || subBandAt(region, hz) !== undefined);
}

/**
 * The most a transmitter may radiate at this frequency, EIRP in dBm: the sub-band's limit where it has one.
 * What a gateway may do beyond that is the operator's to configure (`downlinkEirp` is marked unverified in several regions).
 */
export function maxEirpDbm(region: RegionParameters, hz: number): number {
  const { maxEirpDbm: most, below } = region.txPower;
  if (below && hz < below.hz) return below.maxEirpDbm;
  return subBandAt(region, hz)?.maxEirpDbm ?? most;
}
