/** What one tick of uplinks wants to change: committed as one unit, all or nothing, with its events. */
import type { Op, Param, Row } from "@trefoil/store";
import type { NetworkEvent } from "@trefoil/wire";
import type { Outbox } from "../outbox/outbox.ts";
import type { HotStatement } from "../schema.ts";

export class Batch {
  readonly #rows = new Map<HotStatement, Row[]>();
  readonly events: NetworkEvent[] = [];
  readonly #afterwards: (() => void)[] = [];
  readonly #undo: (() => void)[] = [];

  /** One row of a statement. Rows of one statement keep their order, statements run in the order in which they first came. */
  add(statement: HotStatement, ...row: Param[]): void {
    const rows = this.#rows.get(statement);
    if (rows) rows.push(row);
    else this.#rows.set(statement, [row]);
  }
  rowsOf(statement: HotStatement): readonly Row[] {
    return this.#rows.get(statement) ?? [];
  }
  /** Runs once it is on the disk. */
  afterwards(act: () => void): void {
    this.#afterwards.push(act);
  }
  /** Takes back what was changed in memory ahead of the disk. */
  undo(act: () => void): void {
    this.#undo.push(act);
  }

  async commit(outbox: Outbox): Promise<void> {
    const ops: Op<HotStatement>[] = [];
    for (const [statement, rows] of this.#rows) ops.push({ statement, rows });
    try {
      await outbox.commit(ops, this.events);
    } catch (error) {
      for (const act of this.#undo.toReversed()) act();
      throw error;
    }
    for (const act of this.#afterwards) act();
  }
}
