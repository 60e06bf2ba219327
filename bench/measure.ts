/** Nanoseconds per operation: warmed up, in alternating rounds so that noise of the machine falls on all alike, medians. */

export type Operation = () => unknown;
export type Options = {
  readonly rounds?: number;
  readonly roundMs?: number;
  readonly warmUpMs?: number;
  /** Nanoseconds. */
  readonly now?: () => bigint;
};

let sink: unknown; // what operations return goes here, so that none of them is optimised away

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export function measure<Name extends string>(
  operations: { readonly [name in Name]: Operation },
  { rounds = 15, roundMs = 20, warmUpMs = 200, now = process.hrtime.bigint }: Options = {},
): { readonly [name in Name]: number } {
  const timeOf = (operation: Operation, repeats: number): number => {
    const started = now();
    for (let i = 0; i < repeats; i++) sink = operation();
    return Number(now() - started);
  };
  /** How many repeats take about `ms`. */
  const calibrate = (operation: Operation, ms: number): number => {
    for (let repeats = 1; ; repeats *= 2) {
      const ns = timeOf(operation, repeats);
      if (ns > ms * 1e6) return Math.max(1, Math.round((repeats * ms * 1e6) / ns));
    }
  };
  const rows = (Object.entries(operations) as [Name, Operation][]).map(([name, operation]) => {
    timeOf(operation, calibrate(operation, warmUpMs));
    return { name, operation, repeats: calibrate(operation, roundMs), samples: [] as number[] };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { operation, repeats, samples } of rows) samples.push(timeOf(operation, repeats) / repeats);
  }
  if (sink === measure) throw new Error("unreachable: keeps the results alive");
  return Object.fromEntries(rows.map(({ name, samples }) => [name, median(samples)])) as { [name in Name]: number };
}
