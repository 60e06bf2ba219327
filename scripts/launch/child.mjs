/** Runs a program in this one's place: same terminal, same signals, same exit code. Plain JavaScript: any Node from 18 on. */
import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * Resolves with the exit code (128 + n after signal n) and, with `capture`, what the program printed.
 * On a terminal, Ctrl-C reaches the whole process group by itself: forwarding it would tell the child twice.
 */
export function runChild(command, args, { env = process.env, cwd, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: capture ? ["ignore", "pipe", "pipe"] : "inherit" });
    let output = "";
    for (const stream of capture ? [child.stdout, child.stderr] : []) {
      stream.setEncoding("utf8").on("data", (text) => {
        output = (output + text).slice(-64 * 1024);
      });
    }
    const forwarded = { SIGINT: !process.stdin.isTTY, SIGTERM: true, SIGHUP: true };
    const handlers = Object.entries(forwarded).map(([signal, forward]) => {
      const handler = () => forward && child.kill(signal);
      process.on(signal, handler);
      return () => process.off(signal, handler);
    });
    const settle = (result) => {
      for (const off of handlers) off();
      result();
    };
    child.once("error", (error) => settle(() => reject(error)));
    child.once("close", (code, signal) =>
      settle(() => resolve({ code: code ?? 128 + constants.signals[signal], output })),
    );
  });
}
