/** Many commit units as one message to the worker. A structured clone of the rows would cost more than all the rest of a commit. */

export type Param = null | number | bigint | string | Uint8Array;
export type Row = readonly Param[];
/** One prepared statement, run once for each row. */
export type Op<Name extends string = string> = { readonly statement: Name; readonly rows: readonly Row[] };

/** What a value is. Numbers and octets, nearly everything on a hot path, lie in typed arrays, whose memory moves to the worker uncopied. */
const kindOf = { number: 0, null: 1, octets: 2, other: 3 } as const;

export type Batch = {
  /** For each unit: number of ops, then for each op: index of the statement, number of rows, values per row. */
  readonly shape: Int32Array<ArrayBuffer>;
  /** For each value its kind, and its number (of octets: how many). */
  readonly kinds: Uint8Array<ArrayBuffer>;
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly arena: Uint8Array<ArrayBuffer>;
  /** Texts and bigints. */
  readonly others: (string | bigint)[];
};

/** To be handed to `postMessage` with the batch. */
export const memoryOf = ({ shape, kinds, numbers, arena }: Batch) => [
  shape.buffer,
  kinds.buffer,
  numbers.buffer,
  arena.buffer,
];

/** Packs units that `checkOps` has seen. */
export function packBatch(units: readonly (readonly Op[])[], indexOf: ReadonlyMap<string, number>): Batch {
  const sizes = sizesOf(units);
  const shape = new Int32Array(sizes.shape);
  const kinds = new Uint8Array(sizes.values);
  const numbers = new Float64Array(sizes.values);
  const arena = new Uint8Array(sizes.octets);
  const others: (string | bigint)[] = [];
  let at = 0;
  let cell = 0;
  let octet = 0;
  for (const ops of units) {
    shape[at++] = ops.length;
    for (const { statement, rows } of ops) {
      const width = rows[0]?.length ?? 0;
      shape[at++] = indexOf.get(statement) as number;
      shape[at++] = rows.length;
      shape[at++] = width;
      for (const row of rows) {
        for (let i = 0; i < width; i++, cell++) {
          const value = row[i] as Param;
          if (typeof value === "number") numbers[cell] = value;
          else if (value === null) kinds[cell] = kindOf.null;
          else if (typeof value === "object") {
            kinds[cell] = kindOf.octets;
            numbers[cell] = value.length;
            arena.set(value, octet);
            octet += value.length;
          } else {
            kinds[cell] = kindOf.other;
            others.push(value);
          }
        }
      }
    }
  }
  return { shape, kinds, numbers, arena, others };
}

function sizesOf(units: readonly (readonly Op[])[]) {
  let shape = 0;
  let values = 0;
  let octets = 0;
  for (const ops of units) {
    shape += 1 + 3 * ops.length;
    for (const { rows } of ops) {
      const width = rows[0]?.length ?? 0;
      values += rows.length * width;
      for (const row of rows) {
        for (let i = 0; i < width; i++) {
          const value = row[i];
          if (typeof value === "object" && value !== null) octets += value.length;
        }
      }
    }
  }
  return { shape, values, octets };
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

export function walkBatch({ shape, kinds, numbers, arena, others }: Batch, walker: Walker): void {
  const values: Param[] = [];
  let cell = 0;
  let other = 0;
  let octet = 0;
  const next = (): Param => {
    const kind = kinds[cell];
    const number = numbers[cell++] as number;
    switch (kind) {
      case kindOf.number:
        return number;
      case kindOf.null:
        return null;
      case kindOf.octets: {
        octet += number;
        return arena.subarray(octet - number, octet);
      }
      default:
        return others[other++] as string | bigint;
    }
  };
  for (let at = 0, unit = 0; at < shape.length; unit++) {
    walker.unit(unit);
    for (let ops = shape[at++] as number; ops > 0; ops--) {
      const statement = shape[at++] as number;
      const rows = shape[at++] as number;
      const width = shape[at++] as number;
      values.length = width;
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < width; i++) values[i] = next();
        walker.row(statement, values);
      }
    }
  }
}
