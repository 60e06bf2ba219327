import fc from "fast-check";
import { expect, test } from "vitest";
import { checkOps, type Op, type Param, packBatch, walkBatch } from "./batch.ts";

const indexOf = new Map([
  ["a", 0],
  ["b", 1],
]);
const param: fc.Arbitrary<Param> = fc.oneof(
  fc.constant(null),
  fc.double({ noNaN: true }),
  fc.bigInt(),
  fc.string(),
  fc.uint8Array({ maxLength: 40 }),
);
const op: fc.Arbitrary<Op> = fc.nat(4).chain((width) =>
  fc.record({
    statement: fc.constantFrom("a", "b"),
    rows: fc.array(fc.array(param, { minLength: width, maxLength: width }), { maxLength: 4 }),
  }),
);

test("what is packed is walked again: every unit, row and value, in order, after a structured clone", () => {
  fc.assert(
    fc.property(fc.array(fc.array(op, { maxLength: 3 }), { maxLength: 5 }), (units) => {
      for (const ops of units) checkOps(ops, indexOf);
      const seen: { statement: number; values: Param[]; unit: number }[] = [];
      const entered: number[] = [];
      let unit = -1;
      walkBatch(structuredClone(packBatch(units, indexOf)), {
        unit: (index) => {
          unit = index;
          entered.push(index);
        },
        row: (statement, values) =>
          void seen.push({
            unit,
            statement,
            values: values.map((value) => (value instanceof Uint8Array ? value.slice() : value)),
          }),
      });
      const expected = units.flatMap((ops, at) =>
        ops.flatMap(({ statement, rows }) =>
          rows.map((values) => ({ unit: at, statement: indexOf.get(statement), values: [...values] })),
        ),
      );
      expect(seen).toEqual(expected);
      expect(entered).toEqual(units.map((_, at) => at));
    }),
  );
});

test("what SQLite cannot hold, and rows of differing length, are bugs of the caller", () => {
  for (const value of [undefined, true, {}, Symbol("x")]) {
    expect(() => checkOps([{ statement: "a", rows: [[value as never]] }], indexOf)).toThrow(TypeError);
  }
  expect(() => checkOps([{ statement: "a", rows: [[1], [1, 2]] }], indexOf)).toThrow(/same length/);
  expect(() => checkOps([{ statement: "c", rows: [] }], indexOf)).toThrow(/called c/);
});
