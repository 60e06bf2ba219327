/** Runs a program for a moment as a process of its own (initialisation, backup, trial of a token): an order as JSON in, an answer as JSON out. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { UserError } from "../commands/output.ts";
import { nodeFlags } from "../supervisor/node-flags.ts";

export type Asking = {
  readonly program: string;
  /** The only folder that the program may write to. */
  readonly dataDir: string;
  readonly order: object;
  /** Node's arguments beside those of every server. */
  readonly moreFlags?: readonly string[];
  /** For people, should it fail: "the vault was not made". */
  readonly failure: { readonly code: string; readonly text: string };
  /** Exit codes with which an answer came, too. */
  readonly answersWith?: readonly number[];
};

export async function askChild<Answer>(asking: Asking): Promise<Answer> {
  const { program, dataDir, order, moreFlags = [], failure, answersWith = [] } = asking;
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
  if (code === null || ![0, ...answersWith].includes(code))
    throw new UserError(failure.code, `${failure.text}: ${reasonIn(complaint)}`);
  return JSON.parse(answer) as Answer;
}

/** The sentence of our own programs, or the line of a stack that names the error. */
function reasonIn(complaint: string): string {
  const lines = complaint.split("\n").filter((line) => line.trim() !== "");
  const said = lines.find((line) => /^the \w+ was not \w+: /.test(line));
  return said?.replace(/^[^:]*: /, "") ?? lines.find((line) => /Error/.test(line)) ?? lines.at(-1) ?? "no reason given";
}
