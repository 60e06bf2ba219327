/**
 * How keys come in: from a hidden prompt on a terminal, or from standard input, one `Role hexdigits` per line. Never from an
 * argument or an environment variable, which other users and crash reports can see.
 */
import { createInterface } from "node:readline";
import { isCancel, password } from "@clack/prompts";
import { Key, type KeyRole, keyLengths } from "@trefoil/custody";
import { UserError } from "./output.ts";

/** The keys of the wanted roles. */
export async function readKeys(roles: readonly KeyRole[]): Promise<Map<KeyRole, Key>> {
  const keys = process.stdin.isTTY ? await promptForKeys(roles) : await keysFromInput(roles);
  const missing = roles.filter((role) => !keys.has(role));
  if (missing.length > 0) {
    throw new UserError(
      "keys/missing",
      `standard input lacks ${missing.join(" and ")}: write one "${missing[0]} <${digitsOf(missing[0] as KeyRole)} hex digits>" per line`,
    );
  }
  return keys;
}

async function promptForKeys(roles: readonly KeyRole[]): Promise<Map<KeyRole, Key>> {
  const keys = new Map<KeyRole, Key>();
  for (const role of roles) {
    const answer = await password({
      message: `${role} (${digitsOf(role)} hex digits, not shown)`,
      validate: (text) => (parseKey(role, text ?? "") ? undefined : `${digitsOf(role)} hex digits are needed`),
    });
    if (isCancel(answer)) throw new UserError("keys/cancelled", "nothing was changed");
    keys.set(role, parseKey(role, answer) as Key);
  }
  return keys;
}

async function keysFromInput(roles: readonly KeyRole[]): Promise<Map<KeyRole, Key>> {
  const keys = new Map<KeyRole, Key>();
  let at = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    at++;
    const words = line
      .trim()
      .split(/[\s:=]+/)
      .filter((word) => word !== "");
    if (words.length === 0) continue;
    // A single key needs no name in front of it.
    const [name, hex] = words.length === 1 && roles.length === 1 ? [roles[0], words[0]] : words;
    const role = roles.find((known) => known.toLowerCase() === name?.toLowerCase());
    if (role === undefined)
      throw new UserError("keys/unknown-role", `line ${at} of standard input: expected one of ${roles.join(", ")}`);
    const key = parseKey(role, hex ?? "");
    if (!key)
      throw new UserError(
        "keys/malformed",
        `line ${at} of standard input: ${role} must have ${digitsOf(role)} hex digits`,
      );
    keys.set(role, key);
  }
  return keys;
}

const digitsOf = (role: KeyRole) => 2 * keyLengths[role][0];

/** A key from its hex digits, in the length that its role has first. */
export function parseKey<Role extends KeyRole>(role: Role, text: string): Key<Role> | undefined {
  if (text.length !== digitsOf(role) || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const octets = new Uint8Array(80).subarray(0, text.length / 2); // more than 64 octets: not on the JavaScript heap
  for (let i = 0; i < octets.length; i++) octets[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  const key = new Key(role, octets);
  octets.fill(0);
  return key;
}
