/** Which engine holds the long-lived keys: as the configuration says. The native add-on of PKCS #11 is loaded only where it is asked for. */
import { Fault, type ProcessConfig } from "@trefoil/service";
import { openPkcs11, type Pkcs11Options } from "./pkcs11/index.ts";
import { softwareToken } from "./software-token.ts";
import type { Token } from "./token.ts";
import { openVaultFile } from "./vault-file.ts";

export type EngineConfig = Pick<ProcessConfig<"vault">, "engine" | "passphraseFile" | "pkcs11">;

/** Calls `use` with the token: its handles have the engine's own type. */
export function withEngine<T>(dataDir: string, config: EngineConfig, use: <H>(token: Token<H>) => T): T {
  if (config.engine === "pkcs11") return use(openPkcs11({ dataDir, pkcs11: pkcs11Options(config.pkcs11) }));
  return use(softwareToken(openVaultFile(dataDir, config.passphraseFile)));
}

/** Throws when the module, the token or the PIN's file is not named. */
export function pkcs11Options({
  module,
  tokenLabel,
  pinFile,
  environment,
}: Partial<EngineConfig["pkcs11"]>): Pkcs11Options {
  if (module === undefined || tokenLabel === undefined || pinFile === undefined)
    throw new Fault("vault/pkcs11-unnamed", "vault.pkcs11 needs module, tokenLabel and pinFile", { retry: "never" });
  return { module, tokenLabel, pinFile, ...(environment === undefined ? {} : { environment }) };
}
