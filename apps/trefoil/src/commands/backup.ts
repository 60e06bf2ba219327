/** `trefoil backup` and `trefoil restore`. */
import { resolve } from "node:path";
import type { Command } from "commander";
import colors from "picocolors";
import { type Backup, makeBackup } from "../backup/backup.ts";
import { jumpJoinNonce, type Restored, restoreBackup } from "../backup/restore.ts";
import { lockDataFolder } from "../supervisor/data-folder.ts";
import { ageText, facts, fingerprintText, type Output } from "./output.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

export function addBackupCommands(program: Command): void {
  program
    .command("backup")
    .description("consistent copies of everything but the secrets that open it; the network may run meanwhile")
    .requiredOption("--to <folder>", "a new folder")
    .action(
      action(async (out: Output, command) => {
        const { config, dataDir } = loadSettings(optionsOf(command));
        const made = await makeBackup(config, dataDir, resolve(command.opts<{ to: string }>().to));
        out.result(made, () => backupText(made, dataDir, config.vault.passphraseFile));
      }),
    );
  program
    .command("restore")
    .description("a new data folder from a backup; nonces that the backup does not know stay invalid")
    .requiredOption("--from <folder>", "what trefoil backup made")
    .option("--passphrase-file <file>", "the vault's passphrase (software engine)")
    .action(
      action(async (out: Output, command) => {
        const { config, dataDir } = loadSettings(optionsOf(command));
        const { from, passphraseFile } = command.opts<{ from: string; passphraseFile?: string }>();
        const restored = restoreBackup(config, dataDir, resolve(from), passphraseFile);
        (await lockDataFolder(dataDir)).release();
        out.result({ dataDir, jumpJoinNonce, ...restored }, () => restoredText(restored, dataDir));
      }),
    );
}

const list = (lines: readonly string[]) => lines.map((line) => `  ${colors.yellow("•")} ${line}`);

function backupText({ to, files, record }: Backup, dataDir: string, passphraseFile: string | undefined): string {
  return [
    `${files} files are in ${to}.`,
    "",
    facts([["vault", fingerprintText(record.vault)]]),
    "",
    "Not in it, on purpose: keep these elsewhere, for without them the backup does not open.",
    ...list([
      record.engine === "software"
        ? `the vault's passphrase: ${passphraseFile ?? `${dataDir}/vault/passphrase`}`
        : "the keys in the token: back them up with your HSM's own means; and its PIN",
      `the realm owner's key and the private CA's: ${dataDir}/owner/owner.key and ca.key, and their passphrase`,
      "trefoil.yaml",
    ]),
  ].join("\n");
}

function restoredText({ record, missing }: Restored, dataDir: string): string {
  const start = record.deployment === "network" ? "npm start" : "trefoil join-server";
  return [
    `${dataDir} is as it was ${ageText(record.at)} ago. Nothing runs yet.`,
    "",
    "What happened since then, this network does not know:",
    ...list([
      `JoinNonces jump by ${jumpJoinNonce} at the next start, above what devices have seen since.`,
      "Join-requests recorded since then could be replayed, once each. That shows nobody a key, and a device's session goes on: a new one counts from its first valid uplink, which only the device can make.",
      "For devices of 1.0.4 and 1.1 the next join ends this, as their DevNonces count upwards. Those of 1.0.0 to 1.0.3 draw them at random: which ones were used cannot be recovered.",
      ...(record.deployment === "network"
        ? [
            "Frame counters of sessions: uplinks heard since could be accepted once more, and downlink counters could be used twice. Let devices join again; personalised (ABP) devices need new counters (docs/operating.md).",
          ]
        : []),
    ]),
    "",
    ...(missing.length > 0
      ? ["Put back before you start:", ...list(missing.map(({ path, what }) => `${path} (${what})`)), ""]
      : []),
    `Then: ${start}`,
  ].join("\n");
}
