import type { Reception } from "@trefoil/wire";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Outbound, type OutboundLimits } from "./outbound.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const reception = (n: number) => ({ concentratorTime: String(n) }) as Reception;
const numbers = (batch: readonly Reception[]) => batch.map(({ concentratorTime }) => Number(concentratorTime));

function make(limits: Partial<OutboundLimits> = {}) {
  const asked: { batch: number[]; answer: () => void; fail: (retry: string) => void }[] = [];
  const refused: number[] = [];
  const link = { up: true };
  const outbound = new Outbound(
    {
      request: (batch) =>
        new Promise<void>((resolve, reject) => {
          asked.push({
            batch: numbers(batch),
            answer: resolve,
            fail: (retry) => reject(Object.assign(new Error("no"), { retry })),
          });
        }),
      isUp: () => link.up,
      refused: (batch) => void refused.push(...numbers(batch)),
    },
    limits,
  );
  return { asked, refused, link, outbound };
}
const turn = () => vi.advanceTimersByTimeAsync(0);

test("what arrives within 5 ms leaves as one request", async () => {
  const { asked, outbound } = make();
  outbound.add(reception(1));
  await vi.advanceTimersByTimeAsync(4);
  outbound.add(reception(2));
  expect(asked).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked.map(({ batch }) => batch)).toEqual([[1, 2]]);
  expect(outbound.waiting).toBe(2);
  asked[0]?.answer();
  await turn();
  expect(outbound.waiting).toBe(0);
});

test("a full batch does not wait", () => {
  const { asked, outbound } = make({ batch: 2 });
  for (const n of [1, 2, 3]) outbound.add(reception(n));
  expect(asked.map(({ batch }) => batch)).toEqual([[1, 2]]);
});

test("without a link all wait in order; what was sent and not answered comes again first", async () => {
  const { asked, link, outbound } = make({ batch: 2 });
  for (const n of [1, 2, 3, 4]) outbound.add(reception(n));
  expect(asked).toHaveLength(2);
  link.up = false;
  for (const { fail } of asked) fail("later");
  await turn();
  for (const n of [5, 6, 7]) outbound.add(reception(n));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(2);
  link.up = true;
  outbound.flush();
  expect(asked.slice(2).map(({ batch }) => batch)).toEqual([[1, 2], [3, 4], [5, 6], [7]]);
  expect(outbound.waiting).toBe(7);
});

test("a request that failed while the link stands is tried again after a while", async () => {
  const { asked, outbound } = make();
  outbound.add(reception(1));
  await vi.advanceTimersByTimeAsync(5);
  asked[0]?.fail("later");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked.map(({ batch }) => batch)).toEqual([[1], [1]]);
});

test("what is refused for good is told and dropped, not sent for ever", async () => {
  const { asked, refused, outbound } = make();
  outbound.add(reception(1));
  await vi.advanceTimersByTimeAsync(5);
  asked[0]?.fail("never");
  await vi.advanceTimersByTimeAsync(10_000);
  expect([refused, asked.length, outbound.waiting]).toEqual([[1], 1, 0]);
});

test("beyond the bound nothing is taken", () => {
  const { outbound, link } = make({ waiting: 3 });
  link.up = false;
  expect([1, 2, 3, 4].map((n) => outbound.add(reception(n)))).toEqual([true, true, true, false]);
});

test("no more requests than allowed are in flight; an answer lets the next go", async () => {
  const { asked, outbound } = make({ batch: 1, inFlight: 2 });
  for (const n of [1, 2, 3]) outbound.add(reception(n));
  expect(asked).toHaveLength(2);
  asked[0]?.answer();
  await turn();
  expect(asked.map(({ batch }) => batch)).toEqual([[1], [2], [3]]);
});

test("a stop waits for answers, but not for ever", async () => {
  const { asked, outbound } = make();
  outbound.add(reception(1));
  const drained = outbound.drained(3_000);
  expect(asked).toHaveLength(1);
  asked[0]?.answer();
  await drained;
  outbound.add(reception(2));
  const late = outbound.drained(3_000);
  await vi.advanceTimersByTimeAsync(3_000);
  await late;
  expect(outbound.waiting).toBe(1);
});
