/** Typed arrays that grow. A grown one is a copy; the former is wiped, as it may have held keys. */
type Column = Uint8Array | Uint32Array | Int32Array;

/** A column with room for `rows` rows of `width` values: itself, or a copy that is at least twice as large. */
export function withRoom<C extends Column>(column: C, rows: number, width = 1): C {
  if (rows * width <= column.length) return column;
  const make = column.constructor as new (length: number) => C;
  const grown = new make(Math.max(rows * width, 2 * column.length));
  grown.set(column);
  column.fill(0);
  return grown;
}
