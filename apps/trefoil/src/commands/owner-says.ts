/** What every command of the realm owner has in common: it opens the owner's key, signs, hands in, and says how that went. */
import type { Command } from "commander";
import { askOwner } from "../owner/owner.ts";
import { type RealmRecord, readRecord } from "../owner/record.ts";
import { type Saying, say } from "../owner/statements.ts";
import { loadSettings, type Settings } from "./realm.ts";
import { optionsOf } from "./run.ts";

export type RealmSettings = Settings & { readonly record: RealmRecord };

/** The data folder that a command is about, and what the owner fixed there. */
export function realmSettings(command: Command): RealmSettings {
  const settings = loadSettings(optionsOf(command));
  return { ...settings, record: readRecord(settings.dataDir) };
}

export type Said = "in force" | "waiting";

/** Signs statements with the owner's key and hands them in. */
export async function ownerSays(dataDir: string, sayings: readonly Saying[]): Promise<Said> {
  return say(dataDir, await askOwner(dataDir), sayings);
}

/** The last line of such a command. */
export const saidText = (said: Said): string =>
  said === "in force"
    ? "Signed by the realm owner; the vault has taken it: it is in force."
    : "Signed by the realm owner. The vault cannot be reached: it is handed in at the next start of the network.";
