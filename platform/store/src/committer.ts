/** Collects commit units, sends them to the worker in batches, and tells each unit its fate. */
import type { Worker } from "node:worker_threads";
import { checkOps, memoryOf, type Op, packBatch } from "./batch.ts";
import { type Failure, faultOf } from "./failures.ts";
import { Fault } from "./fault.ts";
import { nextBatchIn, type Pace } from "./group.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

export type { Pace } from "./group.ts";

/** The number of changed rows: for each op, for each of its rows. */
export type Committed = { readonly changes: number[][] };

type Unit = {
  readonly ops: readonly Op[];
  readonly rows: number;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (fault: Fault) => void;
};

/** More than this many rows waiting means that the disk cannot follow: refuse instead of filling the memory. */
const mostWaitingRows = 500_000;
/** Bounds how long one transaction lasts, and with it the wait of what comes next. */
const mostRowsPerBatch = 10_000;

export class Committer {
  readonly lost: Promise<Fault>;
  readonly #worker: Worker;
  readonly #indexOf: ReadonlyMap<string, number>;
  readonly #pace: Pace;
  #waiting: Unit[] = [];
  #waitingRows = 0;
  #inFlight: Unit[] | undefined;
  #inFlightRows = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #ended: Fault | undefined;
  #whenIdle: (() => void)[] = [];
  #tellLost: (fault: Fault) => void = () => {};

  constructor(worker: Worker, names: readonly string[], pace: Partial<Pace> = {}) {
    this.#worker = worker;
    this.#indexOf = new Map(names.map((name, index) => [name, index]));
    this.#pace = { everyMs: 5, atRows: 500, ...pace };
    this.lost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
    worker.on("message", (answer: FromWorker) => this.#onAnswer(answer));
    worker.on("error", () => this.#onLost());
    worker.on("exit", () => this.#onLost());
  }

  get waitingRows(): number {
    return this.#waitingRows + this.#inFlightRows;
  }

  commit(ops: readonly Op[]): Promise<Committed> {
    const rows = checkOps(ops, this.#indexOf);
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#waitingRows + rows > mostWaitingRows && this.#waitingRows > 0) {
      return Promise.reject(new Fault("store/overloaded", "more is waiting for the disk than it can take"));
    }
    if (rows === 0) return Promise.resolve({ changes: ops.map(() => []) });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ops, rows, resolve, reject });
      this.#waitingRows += rows;
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing is on its way. */
  drained(): Promise<void> {
    if (!this.#inFlight && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = new Fault("store/closed", "the store is closed", { retry: "never" });
    const gone = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.postMessage({ is: "close" } satisfies ToWorker);
    await gone;
  }

  #schedule(): void {
    const sinceLastMs = performance.now() - this.#lastAt;
    const wait = nextBatchIn(this.#pace, {
      rows: this.#waitingRows,
      inFlight: this.#inFlight !== undefined,
      sinceLastMs,
    });
    if (wait === undefined) return;
    if (wait > 0) this.#timer ??= setTimeout(this.#send, wait);
    else if (!this.#immediate) {
      clearTimeout(this.#timer as NodeJS.Timeout | undefined);
      this.#immediate = true;
      this.#timer = setImmediate(this.#send);
    }
  }
  #immediate = false;

  readonly #send = (): void => {
    this.#timer = undefined;
    this.#immediate = false;
    if (this.#inFlight || this.#waiting.length === 0 || this.#ended) return;
    const units = this.#take();
    const batch = packBatch(
      units.map(({ ops }) => ops),
      this.#indexOf,
    );
    this.#inFlight = units;
    this.#lastAt = performance.now();
    this.#worker.postMessage({ is: "commit", batch } satisfies ToWorker, memoryOf(batch));
  };

  #take(): Unit[] {
    let rows = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || rows < mostRowsPerBatch))
      rows += (this.#waiting[count++] as Unit).rows;
    const units = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
    this.#waitingRows -= rows;
    this.#inFlightRows = rows;
    return units;
  }

  #onAnswer(answer: FromWorker): void {
    const units = this.#inFlight;
    if (!units || (answer.is !== "committed" && answer.is !== "rejected")) return;
    this.#inFlight = undefined;
    this.#inFlightRows = 0;
    if (answer.is === "committed") settle(units, answer);
    else for (const unit of units) unit.reject(faultOf(answer.failure));
    if (this.#waiting.length > 0) this.#schedule();
    else this.#tellIdle();
  }

  #onLost(): void {
    if (this.#ended) return;
    const fault = new Fault("store/lost", "the store's thread ended: nothing can be written any more", {
      retry: "later",
    });
    this.#ended = fault;
    for (const unit of [...(this.#inFlight ?? []), ...this.#waiting]) unit.reject(fault);
    this.#inFlight = undefined;
    this.#waiting = [];
    this.#tellIdle();
    this.#tellLost(fault);
  }

  #tellIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

type Answer = {
  readonly changes: Int32Array;
  readonly failed: readonly { readonly unit: number; readonly failure: Failure }[];
};

function settle(units: readonly Unit[], { changes, failed }: Answer): void {
  const failures = failed.length > 0 ? new Map(failed.map(({ unit, failure }) => [unit, failure])) : undefined;
  let row = 0;
  for (let u = 0; u < units.length; u++) {
    const { ops, resolve, reject } = units[u] as Unit;
    const ofUnit: number[][] = [];
    for (const { rows } of ops) {
      const ofOp: number[] = [];
      for (let r = 0; r < rows.length; r++) ofOp.push(changes[row++] as number);
      ofUnit.push(ofOp);
    }
    const failure = failures?.get(u);
    if (failure) reject(faultOf(failure));
    else resolve({ changes: ofUnit });
  }
}
