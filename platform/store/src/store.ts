/** The store's port: durable commits in a worker thread, synchronous reads on the main thread. */
import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import type { Role } from "@trefoil/wire";
import type { Op, Param } from "./batch.ts";
import { type Committed, Committer, type Pace } from "./committer.ts";
import { failureOf, faultOf } from "./failures.ts";
import { Fault } from "./fault.ts";
import { openForReading, versionOf } from "./migrate.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

/** What a server declares once: numbered migrations (the first is version 1) and its hot statements by name. */
export type StoreDefinition<Name extends string = string> = {
  readonly migrations: readonly string[];
  readonly statements: { readonly [name in Name]: string };
};
export type OpenOptions<Name extends string> = StoreDefinition<Name> & {
  readonly file: string;
  readonly role: Role;
  readonly pace?: Partial<Pace>;
  /** Most database pages of 4 KiB: commits beyond are refused with `store/full`. */
  readonly maxPages?: number;
};

/** A prepared query on the read-only connection. `get` and `all` are synchronous. */
export type Query<Row> = {
  get(...params: Param[]): Row | undefined;
  all(...params: Param[]): Row[];
  /** Holds a snapshot until it ends: end it in the same turn of the event loop. */
  iterate(...params: Param[]): IterableIterator<Row>;
};

export type Store<Name extends string = string> = {
  /** One unit: all of its rows or none. Resolves after the transaction that holds it has reached the disk; rejects with `Fault`. */
  commit(ops: readonly Op<Name>[]): Promise<Committed>;
  /** Prepares once for each text. Sees everything that was committed. */
  read<Row extends object = { readonly [column: string]: Param }>(sql: string): Query<Row>;
  /** Rows waiting or on their way to the disk. */
  readonly waitingRows: number;
  readonly version: number;
  /** Resolves when the worker is gone without `close`: nothing can be committed any more, and the process should end. */
  readonly lost: Promise<Fault>;
  /** Commits what waits, then closes. */
  close(): Promise<void>;
};

export type PreparedStore = {
  open<Name extends string>(options: OpenOptions<Name>): Promise<Store<Name>>;
  /** Ends the thread of a store that was never opened. */
  discard(): Promise<void>;
};

/** Starts the worker and loads all its code. Do this before the process gives up its rights. */
export async function prepareStore(): Promise<PreparedStore> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { name: "store" });
  await answerTo(worker, undefined, "loaded");
  return {
    open: (options) => open(worker, options),
    discard: async () => {
      await worker.terminate();
    },
  };
}

/** `prepareStore` and `open` in one, for tests and tools. */
export async function openStore<Name extends string>(options: OpenOptions<Name>): Promise<Store<Name>> {
  return (await prepareStore()).open(options);
}

async function open<Name extends string>(worker: Worker, options: OpenOptions<Name>): Promise<Store<Name>> {
  const { file, role, migrations, pace, maxPages } = options;
  const names = Object.keys(options.statements) as Name[];
  const statements = names.map((name) => options.statements[name]);
  let reader: DatabaseSync;
  try {
    const request = { is: "open", schema: { file, role, migrations }, statements } as const;
    await answerTo(worker, maxPages === undefined ? request : { ...request, maxPages }, "opened");
    reader = openForReading(file);
  } catch (error) {
    await worker.terminate();
    throw error instanceof Fault ? error : faultOf(failureOf(error));
  }
  const committer = new Committer(worker, names, pace);
  const queries = new Map<string, Query<object>>();
  return {
    commit: (ops) => committer.commit(ops),
    read: <Row extends object>(sql: string) => {
      const known = queries.get(sql);
      const query = known ?? (reader.prepare(sql) as unknown as Query<object>);
      if (!known) queries.set(sql, query);
      return query as Query<Row>;
    },
    get waitingRows() {
      return committer.waitingRows;
    },
    version: versionOf(reader),
    lost: committer.lost,
    close: async () => {
      await committer.drained();
      reader.close();
      await committer.close();
    },
  };
}

/** Sends one message and waits for its answer. Only for the time before commits flow. */
function answerTo(worker: Worker, message: ToWorker | undefined, expected: FromWorker["is"]): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      worker.off("message", onMessage);
      worker.off("error", onLost);
      worker.off("exit", onLost);
      settle();
    };
    const onMessage = (answer: FromWorker) => {
      if (answer.is === "refused") done(() => reject(faultOf(answer.failure)));
      else if (answer.is === expected) done(resolve);
    };
    const onLost = (cause: unknown) =>
      done(() => reject(new Fault("store/lost", "the store's thread ended", { retry: "later", cause })));
    worker.on("message", onMessage);
    worker.on("error", onLost);
    worker.on("exit", onLost);
    if (message) worker.postMessage(message);
  });
}
