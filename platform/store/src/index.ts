/** SQLite behind a small port: group commit in a worker thread, reads on the main thread. The only package that imports `node:sqlite`. */
export { applicationIds } from "./application-ids.ts";
export type { Op, Param, Row } from "./batch.ts";
export type { Committed } from "./committer.ts";
export { copyStore } from "./copy.ts";
export { Fault, type FaultDetails, type FaultFields, type Retry } from "./fault.ts";
export {
  type OpenOptions,
  openStore,
  type PreparedStore,
  prepareStore,
  type Query,
  type Store,
  type StoreDefinition,
} from "./store.ts";
