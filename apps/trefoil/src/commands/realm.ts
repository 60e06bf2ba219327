/** Which network a command is about: its configuration and its data folder. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "@trefoil/service";
import { loadConfig } from "@trefoil/service/config";
import { isInitialised, readRecord } from "../owner/record.ts";
import { UserError } from "./output.ts";
import type { Realm } from "./provision.ts";

export type GlobalOptions = { readonly config?: string; readonly data?: string; readonly json?: boolean };
export type Settings = { readonly config: Config; readonly dataDir: string };

const defaultConfigFile = "trefoil.yaml";

/** Reads the configuration file (trefoil.yaml when it exists), the environment and `--data`. Throws `UserError` naming every wrong key. */
export function loadSettings(options: GlobalOptions): Settings {
  const loaded = loadConfig({ yamlText: readConfigFile(options.config), env: process.env });
  if ("problems" in loaded) {
    const lines = loaded.problems.map(({ key, message }) => `${key}: ${message}`);
    throw new UserError(
      "config/invalid",
      lines.length === 1
        ? (lines[0] as string)
        : `the configuration has ${lines.length} mistakes:\n  ${lines.join("\n  ")}`,
    );
  }
  return { config: loaded.config, dataDir: resolve(options.data ?? loaded.config.data) };
}

function readConfigFile(path: string | undefined): string {
  if (path === undefined) return existsSync(defaultConfigFile) ? readFileSync(defaultConfigFile, "utf8") : "";
  if (!existsSync(path)) throw new UserError("config/not-found", `there is no configuration file ${path}`);
  return readFileSync(path, "utf8");
}

/** What provisioning needs to know of the realm. */
export const realmOf = ({ config, dataDir }: Settings): Realm => ({
  dataDir,
  netId: config.network.netId.toLowerCase(),
  asId: config.network.asId,
  ...(isInitialised(dataDir) ? { deployment: readRecord(dataDir).deployment } : {}),
});
