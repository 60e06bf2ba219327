/**
 * Counts what the demo's devices sent and what its application got. Pure: told facts, asked for a summary.
 *
 * An uplink is **heard** when a gateway took it off the air and passed it on; what no gateway heard is the radio's loss, not the network's.
 * `lost` are uplinks that were heard, belong to a session of ours, and were not delivered.
 */
export type Latency = { readonly p50: number; readonly p90: number; readonly p99: number };
export type Summary = {
  readonly devices: number;
  readonly joins: number;
  readonly uplinksSent: number;
  readonly heard: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly lost: number;
  readonly micFailures: number;
  readonly downlinksHeard: number;
  readonly latencyMs: Latency;
};

type Frame = { heardAt?: number; deliveredAt?: number };

export class Tally {
  readonly #frames = new Map<string, Frame>();
  readonly #latencies: number[] = [];
  readonly #devices: number;
  #joins = 0;
  #sent = 0;
  #duplicates = 0;
  #downlinks = 0;
  #delivered = 0;
  micFailures = 0;

  constructor(devices: number) {
    this.#devices = devices;
  }

  joined() {
    this.#joins++;
  }
  sent() {
    this.#sent++;
  }
  downlinkHeard() {
    this.#downlinks++;
  }

  /** A gateway passed this frame on. `key` names the session and the counter. Times are milliseconds of one clock. */
  heard(key: string, at: number) {
    const frame = this.#frame(key);
    frame.heardAt ??= at;
    this.#measure(frame);
  }

  /** The application got it. */
  delivered(key: string, at: number) {
    const frame = this.#frame(key);
    if (frame.deliveredAt !== undefined) {
      this.#duplicates++;
      return;
    }
    frame.deliveredAt = at;
    this.#delivered++;
    this.#measure(frame);
  }

  /** Without the cost of a whole summary: asked with every uplink. */
  get deliveredCount(): number {
    return this.#delivered;
  }

  #frame(key: string): Frame {
    const known = this.#frames.get(key) ?? {};
    this.#frames.set(key, known);
    return known;
  }

  /** The gateway's word and the application's come by different pipes, in either order. */
  #measure({ heardAt, deliveredAt }: Frame) {
    if (heardAt !== undefined && deliveredAt !== undefined) this.#latencies.push(Math.max(0, deliveredAt - heardAt));
  }

  summary(): Summary {
    const frames = [...this.#frames.values()];
    const heard = frames.filter((frame) => frame.heardAt !== undefined);
    return {
      devices: this.#devices,
      joins: this.#joins,
      uplinksSent: this.#sent,
      heard: heard.length,
      delivered: this.#delivered,
      duplicates: this.#duplicates,
      lost: heard.filter((frame) => frame.deliveredAt === undefined).length,
      micFailures: this.micFailures,
      downlinksHeard: this.#downlinks,
      latencyMs: percentiles(this.#latencies),
    };
  }
}

function percentiles(values: readonly number[]): Latency {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
