/** What no single setting can show: settings that need or exclude each other. */
import type { Problem } from "./check.ts";
import type { Config } from "./sections.ts";

/** Every contradiction of a configuration whose settings are all of their types. */
export function contradictions({ vault, networkServer }: Config): readonly Problem[] {
  const problems: Problem[] = [];
  const wrong = (key: string, message: string) => problems.push({ key, message });
  if (vault.engine === "pkcs11") {
    for (const key of ["module", "tokenLabel", "pinFile"] as const)
      if (vault.pkcs11[key] === undefined) wrong(`vault.pkcs11.${key}`, "is needed when vault.engine is pkcs11");
  }
  for (const name of Object.keys(vault.pkcs11.environment))
    if (/(^|_)PIN$|PASSWORD|PASSPHRASE/i.test(name))
      wrong(
        `vault.pkcs11.environment.${name}`,
        "looks like a secret: those go into a file that vault.pkcs11.pinFile names",
      );
  for (const [i, { joinEuis, pin, ca }] of networkServer.joinServers.entries()) {
    const key = `networkServer.joinServers[${i}]`;
    if ((pin === undefined) === (ca === undefined)) wrong(key, "exactly one of pin and ca is needed");
    if (joinEuis.first.toLowerCase() > joinEuis.last.toLowerCase()) wrong(`${key}.joinEuis`, "first is after last");
  }
  return problems;
}
