/** What the parts of the server share. */
import type { Limited } from "@trefoil/service";
import type { Transmit, Transmitted } from "@trefoil/wire";
import type { OpenDownlinks } from "./downlink/open-downlinks.ts";
import type { Metrics } from "./metrics.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { Batch } from "./uplink/batch.ts";
import type { Gateways } from "./uplink/gateways.ts";

export type State = {
  readonly sessions: Sessions;
  readonly downlinks: OpenDownlinks;
  readonly gateways: Gateways;
  readonly metrics: Metrics;
  readonly log: Limited;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** True when the address lies in this network's range. */
  readonly isOurs: (devAddr: number) => boolean;
  /** Asks a gateway-server to transmit. */
  readonly transmit: (transmit: Transmit, timeoutMs: number) => Promise<Transmitted>;
  /** Commits, or takes back what the batch changed in memory and rejects. */
  readonly commit: (batch: Batch) => Promise<void>;
  /** Lets the memory learn counters of the disk that are higher than its own. */
  readonly rereadCounters: (sessionIds: readonly number[]) => void;
  /** For what has happened already and must be told: tries until the store takes it. */
  readonly commitSurely: (batch: Batch) => Promise<void>;
};
