import { Fault } from "@trefoil/store";
import { afterEach, expect, test, vi } from "vitest";
import { describeError, openLog, rateLimited } from "./log.ts";

afterEach(() => vi.useRealTimers());
const lines: { [field: string]: unknown }[] = [];
const log = () => {
  lines.length = 0;
  return openLog("vault", "debug", { write: (line) => void lines.push(JSON.parse(line)) });
};

test("of a foreign error its class, code and place are written, never its message; of a Fault all that is public", () => {
  const secret = "00112233445566778899aabbccddeeff";
  const error = Object.assign(new RangeError(`bad key ${secret}\n    at ${secret} inside the message`), {
    code: "ERR_X",
    key: secret,
  });
  log().error({ err: new Fault("store/full", "the disk is full", { fields: { file: "a" }, cause: error }) }, "x");
  expect(lines[0]?.err).toMatchObject({
    code: "store/full",
    message: "the disk is full",
    file: "a",
    cause: { type: "RangeError", code: "ERR_X" },
  });
  const again = log();
  again.error({ err: error }, "x");
  again.error({ err: describeError(error) }, "x");
  expect(lines.at(-1)?.err).toMatchObject({ type: "RangeError", at: expect.anything() });
  again.error({ err: secret }, "x");
  expect(JSON.stringify(lines)).not.toContain(secret);
});

test("the same message comes at most once in its time, with the count of what was held back and its latest fields", () => {
  vi.useFakeTimers();
  const limited = rateLimited(log(), 1_000);
  for (let i = 0; i < 5; i++) limited.warn({ i }, "refused");
  limited.warn({}, "other");
  vi.advanceTimersByTime(1_000);
  for (let i = 5; i < 7; i++) limited.warn({ i }, "refused");
  vi.advanceTimersByTime(5_000);
  limited.warn({ i: 7 }, "refused");
  expect(lines.map(({ msg, i, again }) => [msg, i, again])).toEqual([
    ["refused", 0, undefined],
    ["other", undefined, undefined],
    ["refused", 4, 4],
    ["refused", 6, 2],
    ["refused", 7, undefined],
  ]);
});
