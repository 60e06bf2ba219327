/** Applications in memory: few, asked for by id and by number. */
import type { Store } from "@trefoil/store";
import type { Secret } from "../mqtt/passwords.ts";
import type { HotStatement } from "../schema.ts";

export type Application = {
  readonly application: number;
  readonly applicationId: string;
  readonly name: string;
  readonly createdAt: number;
  readonly secret: Secret;
};
type Row = {
  readonly application: number;
  readonly application_id: string;
  readonly name: string;
  readonly created_at: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
};

export class Applications {
  readonly #byId = new Map<string, Application>();
  readonly #byNumber = new Map<number, Application>();
  #last: number;

  constructor(store: Store<HotStatement>) {
    for (const row of store.read<Row>("SELECT * FROM application").iterate()) this.add(fromRow(row));
    // Numbers are not used twice: devices, sessions and log entries in memory name them.
    this.#last = Math.max(0, ...this.#byNumber.keys());
  }

  nextNumber(): number {
    return ++this.#last;
  }
  add(application: Application): void {
    this.#byId.set(application.applicationId, application);
    this.#byNumber.set(application.application, application);
  }
  remove({ application, applicationId }: Application): void {
    this.#byId.delete(applicationId);
    this.#byNumber.delete(application);
  }
  byId(applicationId: string): Application | undefined {
    return this.#byId.get(applicationId);
  }
  idOf(application: number): string | undefined {
    return this.#byNumber.get(application)?.applicationId;
  }
  all(): Application[] {
    return [...this.#byId.values()];
  }
}

const fromRow = (row: Row): Application => ({
  application: row.application,
  applicationId: row.application_id,
  name: row.name,
  createdAt: row.created_at,
  secret: { salt: row.salt, hash: row.hash },
});
