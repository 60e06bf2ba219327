/** `trefoil audit-log verify`: reads the vault's audit log of keys, and finds a changed, missing or reordered entry. Asks no server. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type AuditReport, parseSegmentName, verifyAuditLog } from "@trefoil/custody";
import type { Command } from "commander";
import colors from "picocolors";
import { type RealmRecord, vaultFingerprint } from "../owner/record.ts";
import { folderOf } from "../supervisor/data-folder.ts";
import { type Output, table, UserError } from "./output.ts";
import { realmSettings } from "./owner-says.ts";
import { action } from "./run.ts";

type Chain = AuditReport & { readonly instance: number };

export function addAuditLogCommands(program: Command): void {
  program
    .command("audit-log")
    .description("every use of a root or master key, in a chain that only the vault can continue")
    .command("verify")
    .description("check the whole log with the audit key that was pinned when the vault was made")
    .option("--folder <path>", "a copy of the log, instead of this vault's own")
    .action(
      action(async (out: Output, command) => {
        const { dataDir, record } = realmSettings(command);
        const { folder } = command.opts<{ folder?: string }>();
        const chains = verifyFolder(folder ?? join(folderOf(dataDir, "vault"), "audit-log"), record);
        out.result({ chains }, () => reportText(chains));
        if (chains.some(({ result }) => result === "broken")) process.exitCode = 1;
      }),
    );
}

/** One report for each process of the vault, from the segments in a folder. */
export function verifyFolder(folder: string, record: RealmRecord): readonly Chain[] {
  const segments = namesIn(folder).flatMap((name) => {
    const parsed = parseSegmentName(name);
    return parsed ? [{ name, ...parsed }] : [];
  });
  if (segments.length === 0) throw new UserError("audit/none", `there is no audit log in ${folder}`);
  const auditKey = auditKeyOf(record);
  const instances = [...new Set(segments.map(({ instance }) => instance))].sort((a, b) => a - b);
  return instances.map((instance) => ({
    instance,
    ...verifyAuditLog({
      auditKey,
      fingerprint: vaultFingerprint(record),
      instance,
      segments: contentsOf(
        folder,
        segments.filter((segment) => segment.instance === instance).map(({ name }) => name),
      ),
    }),
  }));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    throw new UserError("audit/none", `${folder} cannot be read`);
  }
}

/** One after another: a long log need not fit into memory. */
function* contentsOf(folder: string, names: readonly string[]): Generator<Uint8Array> {
  for (const name of names) yield readFileSync(join(folder, name));
}

function auditKeyOf({ vault }: RealmRecord): KeyObject {
  return createPublicKey({ key: Buffer.from(vault.auditKey, "base64"), format: "der", type: "spki" });
}

const inWords: { readonly [code: string]: string } = {
  "audit/changed": "was changed, or the entry before it",
  "audit/missing": "is missing",
  "audit/reordered": "stands in another place than it was written",
  "audit/malformed": "cannot be read",
  "audit/signature": "has a signature that the vault did not make",
  "audit/half-line": "is cut off in the middle",
  "audit/cut-off": "should be there: the log ends before it",
  "audit/unsigned": "is further from a signature than the vault ever leaves it",
};

function reportText(chains: readonly Chain[]): string {
  const words = {
    sound: colors.green("sound"),
    "unsigned-tail": colors.green("sound"),
    broken: colors.red("broken"),
  } as const;
  const bad = chains.flatMap(({ instance, findings }) =>
    findings.slice(0, 1).map((finding) => ({ instance, ...finding })),
  );
  const cuts = chains.flatMap(({ cuts: entries, instance }) =>
    entries.map((entry) => `${entry} of process ${instance}`),
  );
  const unvouched = chains.flatMap(({ instance, unvouched: all }) => all.map((one) => ({ instance, ...one })));
  return [
    table(
      ["vault process", "entries", "from", "to", "signed to", "the chain is"],
      chains.map(({ instance, entries, first, last, signedTo, result }) => [
        instance,
        entries,
        first,
        last,
        signedTo,
        words[result],
      ]),
    ),
    "",
    ...bad.map(
      ({ instance, entry, code }) =>
        `${colors.red("✗")} Process ${instance}: entry ${entry} ${inWords[code] ?? code} (${code}).`,
    ),
    ...(cuts.length > 0
      ? [
          `The log itself says that a half-written line was dropped, at entry ${cuts.join(", ")}: a process or the power was cut off.`,
        ]
      : []),
    ...unvouched.map(
      ({ instance, entry, entries }) =>
        `Process ${instance}: the ${entries} entries before ${entry} were not signed yet when it ended without a stop; nobody vouches for these.`,
    ),
    ...(bad.length === 0 ? ["Nothing that was signed was changed, lost or put in another order."] : []),
  ].join("\n");
}
