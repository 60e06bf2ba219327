/** Runs one tool and tells how it went. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";

export const home = join(import.meta.dirname, "..", "..");
/** The command line of a tool of node_modules, under this very Node. */
export const tool = (name: string): readonly string[] => [process.execPath, join(home, "node_modules", ".bin", name)];

export type Ran = { readonly code: number; readonly output: string };

/** `show`: the tool prints for itself; otherwise its output is kept. A tool that cannot be started counts as failed. */
export function run(
  command: readonly string[],
  options: { readonly show?: boolean; readonly cwd?: string } = {},
): Promise<Ran> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? home,
      stdio: ["ignore", ...(options.show ? (["inherit", "inherit"] as const) : (["pipe", "pipe"] as const))],
    });
    const chunks: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text) => chunks.push(text));
    const stop = () => child.kill("SIGTERM");
    process.once("SIGTERM", stop);
    child.once("error", (error) => resolve({ code: 127, output: error.message }));
    child.once("close", (code, signal) => {
      process.off("SIGTERM", stop);
      resolve({ code: code ?? 128 + constants.signals[signal ?? "SIGTERM"], output: chunks.join("") });
    });
  });
}
