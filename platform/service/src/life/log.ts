/**
 * Logs: JSON lines on standard output, written at once, so that the last words of a dying process are not lost.
 * Nothing is redacted, because nothing secret can get here: keys print their role, and of a foreign error only its class, code and place are written.
 */
import { Fault } from "@trefoil/store";
import type { Boot, Role } from "@trefoil/wire";
import { type Logger, pino } from "pino";

export type Log = Logger;
export type LogLevel = Boot["boot"]["logLevel"];

export function openLog(
  role: Role,
  level: LogLevel,
  destination: { write(line: string): void } = pino.destination({ fd: 1, sync: true }),
): Log {
  return pino(
    {
      level,
      base: { role, pid: process.pid },
      serializers: { err: describeError },
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

export type DescribedError = { readonly [name: string]: unknown };

/** An error without its values: messages of foreign errors may quote what a stranger sent, or worse. */
export function describeError(error: unknown): DescribedError {
  if (described.has(error as object)) return error as DescribedError;
  const description = describe(error);
  described.add(description);
  return description;
}

/** What was described once may be logged as `err`, too. */
const described = new WeakSet<object>();

/** "    at name (file:///a.ts:1:2)" */
const frame = /^ +at .*(node:|file:|\/).*:\d+:\d+\)?$/;

function describe(error: unknown): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error };
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  if (error instanceof Fault) {
    const { code, message, retry, fields } = error;
    return { type: "Fault", code, message, retry, ...fields, ...cause };
  }
  const { code } = error as NodeJS.ErrnoException;
  // Without the message, of which a line could look like a place.
  const frames = (error.stack ?? "")
    .replace(error.message, "")
    .split("\n")
    .filter((line) => frame.test(line));
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    at: frames.slice(0, 12).map((line) => line.trim()),
    ...cause,
  };
}

export type Limited = {
  readonly [level in "debug" | "info" | "warn" | "error"]: (fields: object, message: string) => void;
};

/**
 * The same message at most once in `everyMs`; what was held back is told as `again`. For what a stranger can cause at will.
 * Messages must be constants: what varies belongs into `fields`.
 */
export function rateLimited(log: Log, everyMs = 10_000): Limited {
  const held = new Map<string, { again: number; fields: object }>();
  const say = (level: "debug" | "info" | "warn" | "error") => (fields: object, message: string) => {
    const known = held.get(message);
    if (known) {
      known.again++;
      known.fields = fields;
      return;
    }
    log[level](fields, message);
    const state = { again: 0, fields };
    held.set(message, state);
    const close = () => {
      if (state.again === 0) return void held.delete(message);
      log[level]({ ...state.fields, again: state.again }, message);
      state.again = 0;
      setTimeout(close, everyMs).unref();
    };
    setTimeout(close, everyMs).unref();
  };
  return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
}
