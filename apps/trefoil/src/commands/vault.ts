/** `trefoil vault …`: how the vault is, whether a PKCS #11 module will do, and the vault's public key. */
import type { VaultStatus } from "@trefoil/wire";
import type { Command } from "commander";
import colors from "picocolors";
import { call } from "../admin/client.ts";
import { vaultFingerprint } from "../owner/record.ts";
import { writePrivate } from "../supervisor/data-folder.ts";
import { ageText, fingerprintText, type Output, table } from "./output.ts";
import { realmSettings } from "./owner-says.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";
import { checkModule } from "./vault-check.ts";

export function addVaultCommands(program: Command): void {
  const vault = program.command("vault").description("the vault: every operation with a root key, master key or KEK");
  vault
    .command("status")
    .description("its processes, where the keys are, what is wrong")
    .action(
      action(async (out: Output, command) => {
        const { dataDir, config } = loadSettings(optionsOf(command));
        const rows = await call<VaultStatus[]>(dataDir, "join-server", "GET", "/vault/status");
        out.result(rows, () => statusText(rows, config.vault.processes));
        if (rows.length === 0 || rows.some(({ fault, damaged }) => fault !== undefined || damaged.length > 0))
          process.exitCode = 1;
      }),
    );
  vault
    .command("check")
    .description("whether a PKCS #11 module can do what a vault needs; run as the vault's user")
    .option("--module <path>", "the module, a shared library (vault.pkcs11.module)")
    .option("--token-label <label>", "(vault.pkcs11.tokenLabel)")
    .option("--pin-file <path>", "(vault.pkcs11.pinFile)")
    .action(action(checkModule));
  vault
    .command("key")
    .description("the vault's public key: what keys are sealed to, for makers and for other realms' exports")
    .option("--out <file>", "write it there instead of printing it")
    .action(
      action(async (out: Output, command) => {
        const { record } = realmSettings(command);
        const { out: file } = command.opts<{ out?: string }>();
        const { publicKey } = record.vault;
        const fingerprint = vaultFingerprint(record);
        if (file !== undefined) writePrivate(file, `${publicKey}\n`);
        if (!out.json) out.note(`Fingerprint, to be compared another way: ${fingerprintText(fingerprint)}`);
        out.result({ publicKey, fingerprint, ...(file === undefined ? {} : { file }) }, () =>
          file === undefined ? publicKey : `The vault's public key is in ${file}.`,
        );
      }),
    );
}

const faults: { readonly [slug: string]: string } = {
  "token/absent": "the token is not there",
  "token/pin": "the token does not take the PIN",
  "token/locked": "the PIN is locked",
};

export function statusText(rows: readonly VaultStatus[], wanted: number): string {
  if (rows.length === 0)
    return `${colors.red("✗")} No process of the vault runs: joins fail until one does. The log tells why.`;
  const sick = rows.flatMap(({ instance, fault, damaged }) => [
    ...(fault === undefined
      ? []
      : [
          `process ${instance}: ${faults[fault] ?? fault}. Joins fail closed until it is back; nothing else is needed then.`,
        ]),
    ...damaged.map(
      (label) => `process ${instance}: the key ${label} is missing or damaged: restore the token from its backup.`,
    ),
  ]);
  const missing = wanted - rows.length;
  return [
    table(
      ["process", "keys are in", "up", "joins", "handles", "audit entry", "health"],
      rows.map(({ instance, engine, place, startedAt, joins, handles, auditEntry, fault, damaged }) => [
        instance,
        engine === "software" ? "software, this process" : place,
        ageText(startedAt),
        joins,
        handles,
        auditEntry,
        fault === undefined && damaged.length === 0 ? colors.green("well") : colors.red(fault ?? "damaged keys"),
      ]),
    ),
    ...(sick.length > 0 ? ["", ...sick.map((line) => `${colors.red("✗")} ${line}`)] : []),
    ...(missing > 0 ? ["", `${colors.yellow("•")} ${missing} of ${wanted} processes are not running now.`] : []),
    ...(rows.every(({ engine }) => engine === "software")
      ? [
          "",
          colors.dim(
            "The vault is software: its keys are encrypted on disk, but in its processes' memory while they run.",
          ),
        ]
      : []),
  ].join("\n");
}
