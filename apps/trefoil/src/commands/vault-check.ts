/** `trefoil vault check`: the vault's own trial of a PKCS #11 module, in a process of the vault's user, behind the fence that the vault has. */
import { resolve } from "node:path";
import type { Config } from "@trefoil/service";
import type { Command } from "commander";
import colors from "picocolors";
import { askChild } from "../init/ask-child.ts";
import { folderOf } from "../supervisor/data-folder.ts";
import { checkProgram } from "../supervisor/node-flags.ts";
import { decideUsers, type Users } from "../supervisor/users.ts";
import { vaultFlags, vaultSettings } from "../supervisor/vault-flags.ts";
import { type Output, UserError } from "./output.ts";
import { loadSettings } from "./realm.ts";
import { optionsOf } from "./run.ts";

type CheckOptions = { readonly module?: string; readonly tokenLabel?: string; readonly pinFile?: string };

export async function checkModule(out: Output, command: Command): Promise<void> {
  const { config, dataDir } = loadSettings(optionsOf(command));
  const users = decideUsers(dataDir, config.users);
  const { pkcs11, vault } = settingsOf(config, command.opts<CheckOptions>(), users);
  const order = { pkcs11, ...(users.are === "separate" ? { identity: users.of.vault } : {}) };
  const { usable, rows } = await askChild<CheckReport>({
    program: checkProgram,
    dataDir: folderOf(dataDir, "vault"),
    order,
    moreFlags: vaultFlags(vault),
    failure: { code: "vault/not-checked", text: "the module was not checked" },
    answersWith: [1],
  });
  const missing = rows.filter(({ needed, works }) => needed && !works).map(({ name }) => name);
  out.result({ usable, missing, rows }, () => reportText(rows, missing, pkcs11));
  if (!usable) process.exitCode = 1;
}

/** What servers/vault/src/pkcs11/check.ts answers. */
type CheckReport = { readonly usable: boolean; readonly rows: readonly CheckRow[] };
type CheckRow = { readonly name: string; readonly needed: boolean; readonly works: boolean; readonly remark?: string };

/** The configuration's token, with what the options replace. */
function settingsOf(config: Config, options: CheckOptions, users: Users) {
  const given = Object.fromEntries(
    Object.entries({ module: options.module, tokenLabel: options.tokenLabel, pinFile: options.pinFile })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, name === "tokenLabel" ? value : resolve(value as string)]),
  );
  const vault = vaultSettings(
    { ...config.vault, engine: "pkcs11", pkcs11: { ...config.vault.pkcs11, ...given } },
    users,
  );
  const { module, tokenLabel, pinFile } = vault.pkcs11;
  if (module === undefined || tokenLabel === undefined || pinFile === undefined)
    throw new UserError(
      "input/token",
      "--module, --token-label and --pin-file are needed, or vault.pkcs11 in the configuration",
    );
  return { vault, pkcs11: { ...vault.pkcs11, module, tokenLabel, pinFile } };
}

function reportText(
  rows: readonly CheckRow[],
  missing: readonly string[],
  { module, tokenLabel }: { readonly module: string; readonly tokenLabel: string },
): string {
  const mark = ({ works, needed }: CheckRow) =>
    works ? colors.green("✓") : needed ? colors.red("✗") : colors.yellow("–");
  return [
    `Token ${colors.bold(tokenLabel)} of ${module}`,
    "",
    ...rows.map((row) => `  ${mark(row)} ${row.name}  ${colors.dim(row.remark ?? "")}`),
    "",
    missing.length === 0
      ? colors.green("This token can hold a vault.")
      : `${colors.red("✗")} This token cannot hold a vault. It lacks: ${missing.join("; ")}.`,
  ].join("\n");
}
