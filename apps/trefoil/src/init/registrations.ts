/** KEK registrations, signed by the realm owner, on their way to the vault: kept as files until the join-server has taken them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { SignedRegistration } from "@trefoil/wire";
import { call } from "../admin/client.ts";
import { writePrivate } from "../supervisor/data-folder.ts";

const folderOf = (dataDir: string) => join(dataDir, "owner", "registrations");
const waiting = ".json";

export function keepRegistration(dataDir: string, name: string, signed: SignedRegistration): void {
  mkdirSync(folderOf(dataDir), { recursive: true, mode: 0o700 });
  writePrivate(join(folderOf(dataDir), `${name}${waiting}`), JSON.stringify(signed));
}

/** Gives the waiting ones to the running join-server, whose vault checks the signatures. Handed-in ones are kept, renamed. */
export async function handInRegistrations(dataDir: string): Promise<void> {
  const folder = folderOf(dataDir);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith(waiting))
    .sort()) {
    await call(dataDir, "join-server", "POST", "/registrations", JSON.parse(readFileSync(join(folder, name), "utf8")));
    renameSync(join(folder, name), join(folder, `${name}.done`));
  }
}
