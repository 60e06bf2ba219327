/**
 * At the start: does every long-lived key still do what it did? Names those that do not, by label. The storage key is known by a canary that
 * it wrapped when the vault first started: any key can unwrap what it has just wrapped.
 */
import { join } from "node:path";
import { noEui, parseReceiver, type RootKeyBlobs, sealingContext, subjectText } from "@trefoil/custody";
import { isSignedBy } from "./audit-key.ts";
import { makeBlobs, openBlob } from "./blob.ts";
import { readJson, writeDurably } from "./files.ts";
import { isRefusal } from "./held-keys.ts";
import type { Keys } from "./root-keys.ts";
import { type Token, withHandles } from "./token.ts";

const device = { devEui: noEui, joinEui: noEui };
const text = new TextEncoder().encode("TREFOIL-SELF-TEST-1");
const twoBlocks = new Uint8Array(32);
const block = new Uint8Array(16);

export function selfTest<H>(keys: Keys<H>, dataDir: string): readonly string[] {
  const { token, held, table } = keys;
  const named: [string, () => boolean][] = [
    ["storage key", () => opensCanary(token, dataDir)],
    ["sealing key", () => opensItsOwnSeal(token)],
    ["audit key", () => signs(token)],
    ...table
      .withKeys()
      .map((statement): [string, () => boolean] => [
        statement.kind === "kek" ? `KEK ${statement.label}` : `master key of ${subjectText(statement)}`,
        () => !isRefusal(held.of(statement)),
      ]),
  ];
  return named.filter(([, isWell]) => !isWell()).map(([label]) => label);
}

function opensCanary<H>(token: Token<H>, dataDir: string): boolean {
  const path = join(dataDir, "canary.json");
  const kept = readJson(path) as RootKeyBlobs | undefined;
  return withHandles(token, (own) => {
    if (kept === undefined) {
      const label = own(token.derive256(token.storageKey, twoBlocks, "label"));
      const key = own(token.derive128(label, block, "transit"));
      writeDurably(path, `${JSON.stringify(makeBlobs(token, device, "unknown", new Map([["AppKey", key]])))}\n`);
      return true;
    }
    const opened = openBlob(token, "AppKey", device, kept, "root");
    own(opened?.key);
    return opened !== undefined;
  });
}

/** What is sealed to the published key opens, to the same transport key. */
function opensItsOwnSeal<H>(token: Token<H>): boolean {
  const receiver = parseReceiver(token.published.publicKey);
  if (receiver?.fingerprint !== token.published.fingerprint) return false;
  return withHandles(token, (own) => {
    const made = token.newTransport(receiver);
    own(made.key);
    const opened = own(token.openTransport(made.ciphertext));
    if (opened === undefined) return false;
    const context = sealingContext({ role: "AppKey", joinEui: noEui, devEui: noEui }, receiver.fingerprint);
    const label = own(token.derive256(token.storageKey, twoBlocks, "label"));
    const something = own(token.derive128(label, block, "transit"));
    const wrapped = token.wrap(own(token.derive256(made.key, context, "wrapping")), something);
    return own(token.unwrap(own(token.derive256(opened, context, "wrapping")), wrapped, "transit")) !== undefined;
  });
}

const signs = <H>(token: Token<H>): boolean => isSignedBy(token.auditPublicKey, text, token.signHead(text));
