/** Where the servers' log lines go: as they are, or made readable on a terminal. */
import type { Writable } from "node:stream";
import pretty from "pino-pretty";
import type { ProcessName } from "./processes.ts";

export type LogSink = (process: ProcessName | "trefoil", line: string, isError: boolean) => void;

/** `auto` is pretty on a terminal and JSON elsewhere. Lines that are no JSON (a crash of Node itself) pass unchanged. */
export function logSink(
  settings: { readonly format: "auto" | "pretty" | "json" },
  out: Writable & { isTTY?: boolean },
): LogSink {
  const isPretty = settings.format === "pretty" || (settings.format === "auto" && out.isTTY === true);
  if (!isPretty) return (_role, line) => void out.write(`${line}\n`);
  const stream = pretty({
    colorize: true,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "pid,hostname,role",
    messageFormat: "{role} {msg}",
    destination: out,
    sync: true,
  });
  return (_role, line) => void stream.write(`${line}\n`);
}

const levels = ["trace", "debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];

/** Whether a network that logs from `least` on logs something of this level. */
export const isLogged = (level: Level, least: Level) => levels.indexOf(level) >= levels.indexOf(least);

/** A line of the supervisor's own, in the shape of the servers' lines. */
export const ownLine = (level: Level, msg: string, fields: object = {}) =>
  JSON.stringify({ level, time: Date.now(), role: "trefoil", ...fields, msg });
