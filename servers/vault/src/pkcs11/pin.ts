/** The PIN of a token: from a file that only its owner may read, or from a systemd credential. Read when needed, kept nowhere. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@trefoil/service";

const credentialPrefix = "credential:";
const trouble = (code: string, message: string, cause?: unknown) => new Fault(code, message, { retry: "never", cause });

/** Where `pinFile` points: a path, or `credential:NAME` under $CREDENTIALS_DIRECTORY. */
function pathOf(pinFile: string): { readonly path: string; readonly byFile: boolean } {
  if (!pinFile.startsWith(credentialPrefix)) return { path: pinFile, byFile: true };
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (folder === undefined)
    throw trouble("pkcs11/no-pin", `${pinFile}: no systemd credential was given to this process`);
  const name = pinFile.slice(credentialPrefix.length);
  if (name === "" || name.includes("/") || name.startsWith("."))
    throw trouble("pkcs11/no-pin", `${pinFile}: a credential's name is expected`);
  return { path: join(folder, name), byFile: false };
}

/** Without the newline that editors add. */
export function readPin(pinFile: string): string {
  const { path, byFile } = pathOf(pinFile);
  let pin: string;
  let mode: number;
  try {
    pin = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    mode = statSync(path).mode & 0o777;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw trouble("pkcs11/no-pin", `the PIN file ${path} cannot be read (${code})`, cause);
  }
  if (byFile && (mode & 0o077) !== 0)
    throw trouble("pkcs11/pin-readable", `the PIN file ${path} may be read by others: chmod 600 ${path}`);
  if (pin.length < 4 || pin.length > 255 || /[\0\r\n]/.test(pin))
    throw trouble("pkcs11/no-pin", `the PIN file ${path} does not hold one line of 4 to 255 characters`);
  return pin;
}
