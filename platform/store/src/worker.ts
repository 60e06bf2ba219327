/** The thread that writes. It is started, with all its code, before the process gives up its rights; the file comes later. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { parentPort } from "node:worker_threads";
import type { Batch } from "./batch.ts";
import { type Failure, failureOf } from "./failures.ts";
import { openForWriting, type Schema } from "./migrate.ts";
import { type Result, runBatch } from "./transaction.ts";

export type ToWorker =
  | { readonly is: "open"; readonly schema: Schema; readonly statements: readonly string[]; readonly maxPages?: number }
  | { readonly is: "commit"; readonly batch: Batch }
  | { readonly is: "close" };
export type FromWorker =
  | { readonly is: "loaded" }
  | { readonly is: "opened" }
  | { readonly is: "refused"; readonly failure: Failure }
  | ({ readonly is: "committed" } & Result)
  | { readonly is: "rejected"; readonly failure: Failure }
  | { readonly is: "closed" };

const port = parentPort;
if (!port) throw new Error("platform/store/src/worker.ts is a worker thread's code");

let database: DatabaseSync | undefined;
let statements: readonly StatementSync[] = [];

function answer(message: ToWorker): FromWorker {
  switch (message.is) {
    case "open": {
      try {
        const opened = openForWriting(message.schema);
        database = opened;
        if (message.maxPages !== undefined) opened.exec(`PRAGMA max_page_count=${message.maxPages}`);
        statements = message.statements.map((sql) => opened.prepare(sql));
        return { is: "opened" };
      } catch (error) {
        return { is: "refused", failure: failureOf(error) };
      }
    }
    case "commit": {
      try {
        if (!database) throw new Error("commit before open");
        return { is: "committed", ...runBatch(database, statements, message.batch) };
      } catch (error) {
        return { is: "rejected", failure: failureOf(error) };
      }
    }
    case "close":
      database?.close();
      database = undefined;
      return { is: "closed" };
  }
}

port.on("message", (message: ToWorker) => {
  port.postMessage(answer(message));
  if (message.is === "close") port.close();
});
port.postMessage({ is: "loaded" } satisfies FromWorker);
