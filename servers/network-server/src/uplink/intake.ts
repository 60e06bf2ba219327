/**
 * From link requests to frames and back: takes receptions, merges them, hands each tick's frames on as one batch, and answers a
 * request when all its receptions have met their fate (platform/wire/src/gateway-link.ts).
 */
import { Fault } from "@trefoil/service";
import type { Metrics } from "../metrics.ts";
import { type Merged, type MergeOptions, Merger } from "./merge.ts";
import { parseUplinks } from "./reception.ts";

/** One `uplinks` request that waits for its answer. */
export class UplinksRequest {
  readonly answered: Promise<object>;
  #left: number;
  #resolve: (answer: object) => void = () => {};
  #reject: (fault: unknown) => void = () => {};

  constructor(receptions: number) {
    this.#left = receptions;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (receptions === 0) this.#resolve({});
  }
  /** One more reception has met its fate. */
  met(): void {
    if (--this.#left === 0) this.#resolve({});
  }
  failed(fault: unknown): void {
    this.#reject(fault);
  }
}

export type Frame = Merged<UplinksRequest>;
/** Decides about all frames of a tick. Resolves when those are stored that are to be stored. */
export type Process = (frames: readonly Frame[]) => Promise<void>;

/** More frames than this are open or remembered: the server cannot follow, and says so instead of growing. */
const mostFrames = 200_000;
/** After a pause: a batch must fit a frame of the link to the application-server, and not hold up the store. */
const mostFramesOfBatch = 1_000;

export class Intake {
  readonly #merger: Merger<UplinksRequest>;
  readonly #options: MergeOptions;
  readonly #process: Process;
  readonly #metrics: Metrics;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Map<Frame, UplinksRequest[]>();
  readonly #busy = new Set<Promise<void>>();

  constructor(options: MergeOptions, process: Process, metrics: Metrics) {
    this.#options = options;
    this.#merger = new Merger(options);
    this.#process = process;
    this.#metrics = metrics;
  }

  get frames(): number {
    return this.#merger.size;
  }

  /** The handler of `uplinks`. */
  take(body: unknown): Promise<object> {
    const receptions = parseUplinks(body);
    if (!receptions) throw new Fault("link/invalid-body", "an uplinks request has receptions", { retry: "never" });
    if (this.#merger.size + receptions.length > mostFrames)
      throw new Fault("uplinks/overloaded", "more frames wait than can be stored", { retry: "later" });
    const request = new UplinksRequest(receptions.length);
    const now = performance.now();
    const counted = this.#metrics.receptions;
    for (const reception of receptions) {
      if (!reception) {
        counted.malformed++;
        request.met();
        continue;
      }
      const { frame, is } = this.#merger.offer(reception, request, now);
      counted[is]++;
      if (is === "first" || is === "again") continue;
      const waiting = this.#waiting.get(frame);
      if (is === "late" && waiting) waiting.push(request);
      else request.met();
    }
    this.#timer ??= setInterval(() => this.#tick(), this.#options.tickMs);
    return request.answered;
  }

  /** Closes what is open and waits for its fate. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#close(Number.POSITIVE_INFINITY);
    await Promise.allSettled(this.#busy);
  }

  #tick(): void {
    this.#close(performance.now());
    if (this.#merger.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #close(now: number): void {
    const closed = this.#merger.close(now);
    for (let at = 0; at < closed.length; at += mostFramesOfBatch) this.#hand(closed.slice(at, at + mostFramesOfBatch));
  }

  #hand(frames: readonly Frame[]): void {
    for (const frame of frames) this.#waiting.set(frame, []);
    const done = this.#process(frames).then(
      () => this.#settle(frames, (request) => request.met()),
      (fault) => {
        // Not claimed: a gateway-server that sends the frames again must not meet a memory of them.
        for (const frame of frames) this.#merger.forget(frame);
        this.#settle(frames, (request) => request.failed(fault));
      },
    );
    this.#busy.add(done);
    void done.finally(() => this.#busy.delete(done));
  }

  #settle(frames: readonly Frame[], meet: (request: UplinksRequest) => void): void {
    for (const frame of frames) {
      for (const { from } of frame.heard) meet(from);
      for (const request of this.#waiting.get(frame) ?? []) meet(request);
      this.#waiting.delete(frame);
      this.#merger.release(frame);
    }
  }
}
