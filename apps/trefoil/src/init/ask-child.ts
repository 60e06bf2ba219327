/** Runs one of the initialisation programs as a process of its own: an order as JSON in, an answer as JSON out. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { UserError } from "../commands/output.ts";
import { nodeFlags } from "../supervisor/node-flags.ts";

/** `dataDir` is the only folder that the program may write to. */
export async function askChild<Answer>(
  program: string,
  dataDir: string,
  order: object,
  moreFlags: readonly string[] = [],
): Promise<Answer> {
  const child = spawn(process.execPath, [...nodeFlags(dataDir), ...moreFlags, program], {
    cwd: "/",
    env: { TZ: "UTC" },
    // Ctrl-C in the terminal is for the command: it must not cut a key off in the middle.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", resolve);
    child.once("error", () => resolve(null));
  });
  child.stdin.on("error", () => undefined); // Its exit code tells what went wrong.
  child.stdin.end(JSON.stringify(order));
  const [answer, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0)
    throw new UserError(
      "init/failed",
      `${program.split("/").slice(-4).join("/")} could not make its keys: ${reasonIn(complaint)}`,
    );
  return JSON.parse(answer) as Answer;
}

/** The sentence of our own programs, or the line of a stack that names the error. */
function reasonIn(complaint: string): string {
  const lines = complaint.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /was not made|Error/.test(line)) ?? lines.at(-1) ?? "no reason given";
}
