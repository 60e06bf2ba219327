/** How commands speak: one JSON document with `--json`, sentences and tables otherwise; errors end with their code. */
import Table from "cli-table3";
import colors from "picocolors";

export type Output = {
  readonly json: boolean;
  /** The result: the value with `--json`, else the text. */
  result(value: unknown, text: () => string): void;
  /** A remark for people; silent with `--json`. */
  note(text: string): void;
};

export function makeOutput(json: boolean): Output {
  return {
    json,
    result: (value, text) => process.stdout.write(`${json ? JSON.stringify(value) : text()}\n`),
    note: (text) => {
      if (!json) process.stderr.write(`${colors.dim(text)}\n`);
    },
  };
}

/** Anything a command can fail with that a person can do something about. */
export class UserError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Prints why a command failed: one sentence, its code at the end so that it can be searched for. */
export function printError(json: boolean, error: unknown): void {
  const { code, message } = describe(error);
  process.stderr.write(
    json
      ? `${JSON.stringify({ error: { code, message } })}\n`
      : `${colors.red("✗")} ${message} ${colors.dim(`(${code})`)}\n`,
  );
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof Error && "code" in error && typeof error.code === "string")
    return { code: error.code, message: error.message };
  return { code: "command/failed", message: error instanceof Error ? error.message : String(error) };
}

/** A fingerprint in groups of four digits: people compare it by eye, group by group. */
export const fingerprintText = (hex: string): string => hex.replace(/.{4}(?=.)/g, "$& ");

/** Names and values under each other. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${colors.dim(name.padEnd(width))}  ${value}`).join("\n");
}

/** "3 days", "1 hour": how long ago, roughly. */
export function ageText(since: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - since) / 1_000));
  const [unit, size] = units.find(([, least]) => seconds >= least) ?? (["second", 1] as const);
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** A plain table without vertical lines, as wide as it needs to be. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const grid = new Table({
    head: head.map((name) => colors.bold(name)),
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) grid.push(row.map(String));
  return grid.toString();
}
