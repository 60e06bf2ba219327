/**
 * Frequencies in three octets: they count 100 Hz, and from 12,000,000 on (2.4 GHz) 200 Hz, as 24 bits end below 1.7 GHz.
 *
 * Spec: TS001-1.0.4 §5.6; RP002-1.0.4
 */
const twoPointFourGhz = 12_000_000;

export const hzFromRaw = (raw: number): number => raw * (raw < twoPointFourGhz ? 100 : 200);

/** Not whole, or not read back by `hzFromRaw`, when the frequency cannot be said. */
export const rawFromHz = (hz: number): number => hz / (hz < twoPointFourGhz * 200 ? 100 : 200);
