/**
 * Many commit units as one message to the worker. Two thirds of a commit's cost on the main thread is this packing:
 * all values lie in one flat array (one structured clone), all octets in one arena that is transferred, not copied again.
 */

export type Param = null | number | bigint | string | Uint8Array;
export type Row = readonly Param[];
/** One prepared statement, run once for each row. */
export type Op<Name extends string = string> = { readonly statement: Name; readonly rows: readonly Row[] };

type Cell = Exclude<Param, Uint8Array> | undefined;

export type Batch = {
  /** For each unit: number of ops, then for each op: index of the statement, number of rows, values per row. */
  readonly shape: number[];
  /** All values in order. `undefined` stands for octets, which lie in `arena`. */
  readonly cells: Cell[];
  readonly lengths: number[];
  readonly arena: Uint8Array<ArrayBuffer>;
};

/** Packs the units. Throws `TypeError` where a caller passed what SQLite cannot hold: a bug, not a fault. */
export function packBatch(units: readonly (readonly Op[])[], indexOf: ReadonlyMap<string, number>): Batch {
  const shape: number[] = [];
  const cells: Cell[] = [];
  const octets: Uint8Array[] = [];
  const lengths: number[] = [];
  let total = 0;
  for (const ops of units) {
    shape.push(ops.length);
    for (const { statement, rows } of ops) {
      const width = rows[0]?.length ?? 0;
      shape.push(indexOf.get(statement) as number, rows.length, width);
      for (const row of rows) {
        for (let i = 0; i < width; i++) {
          const value = row[i] as Param;
          if (value instanceof Uint8Array) {
            cells.push(undefined);
            octets.push(value);
            lengths.push(value.length);
            total += value.length;
          } else cells.push(value);
        }
      }
    }
  }
  const arena = new Uint8Array(total);
  let at = 0;
  for (const piece of octets) {
    arena.set(piece, at);
    at += piece.length;
  }
  return { shape, cells, lengths, arena };
}

/** Refuses what cannot be packed, where the caller's stack still shows who passed it. */
export function checkOps(ops: readonly Op[], indexOf: ReadonlyMap<string, number>): number {
  let count = 0;
  for (const { statement, rows } of ops) {
    if (!indexOf.has(statement)) throw new TypeError(`no hot statement is called ${statement}`);
    const width = rows[0]?.length ?? 0;
    for (const row of rows) {
      if (row.length !== width) throw new TypeError(`${statement}: rows of one op must have the same length`);
      for (let i = 0; i < width; i++) {
        const value = row[i];
        const fits = typeof value === "number" || typeof value === "string" || value === null;
        if (!fits && !(value instanceof Uint8Array) && typeof value !== "bigint") {
          throw new TypeError(`${statement}: value ${i} is ${typeof value}, which SQLite cannot hold`);
        }
      }
    }
    count += rows.length;
  }
  return count;
}

/** Walks a batch: `unit` before each unit, `row` for each row with its values (the same array each time). */
export type Walker = { unit(index: number): void; row(statement: number, values: Param[]): void };

export function walkBatch({ shape, cells, lengths, arena }: Batch, walker: Walker): void {
  const values: Param[] = [];
  let cell = 0;
  let piece = 0;
  let octet = 0;
  for (let at = 0, unit = 0; at < shape.length; unit++) {
    walker.unit(unit);
    for (let ops = shape[at++] as number; ops > 0; ops--) {
      const statement = shape[at++] as number;
      const rows = shape[at++] as number;
      const width = shape[at++] as number;
      values.length = width;
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < width; i++) {
          const value = cells[cell++];
          if (value === undefined) {
            const end = octet + (lengths[piece++] as number);
            values[i] = arena.subarray(octet, end);
            octet = end;
          } else values[i] = value;
        }
        walker.row(statement, values);
      }
    }
  }
}
