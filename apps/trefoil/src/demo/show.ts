/** What the demo shows, as data: the terminal view and the web page draw the same. */
import type { Bay } from "./bays.ts";
import type { Summary } from "./tally.ts";

export type Arrival = {
  readonly at: number;
  readonly deviceId: string;
  readonly text: string;
  readonly latencyMs?: number;
};
export type Show = {
  readonly summary: Summary;
  readonly uplinksPerSecond: number;
  readonly bays: readonly Bay[];
  /** The newest last. */
  readonly arrivals: readonly Arrival[];
  readonly seconds: number;
};
