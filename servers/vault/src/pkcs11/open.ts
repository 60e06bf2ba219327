/**
 * Opening what initPkcs11 made: the token, logged in; its three keys, each there once, with the attributes that it was made with and the
 * same as ever (self-test); and the pinned file, which only this vault can have written.
 */
import { publicEncrypt, randomFillSync, timingSafeEqual } from "node:crypto";
import { oaep, parseBase64, secretOctets } from "@trefoil/custody";
import { KeySchedule } from "@trefoil/lorawan";
import { Fault } from "@trefoil/service";
import { isSignedBy, publicKeyOf } from "../audit-key.ts";
import { objectClass, template } from "./attributes.ts";
import { Desk } from "./desk.ts";
import { derived256, labelOf, type TokenKeyName, tokenKeyNames, tokenKeys, unwrapped } from "./keys.ts";
import { aesCmac, cbcEncryptData, ecdsa, rsaOaep } from "./mechanisms.ts";
import type { Module, ObjectHandle } from "./module.ts";
import { readPin } from "./pin.ts";
import { checkText, type PinnedFile, pinContext, pinnedText } from "./pinned.ts";
import { rsaPublicKey, sha256 } from "./public-keys.ts";
import { readBack, tryTemplates, withObjects } from "./trial.ts";

export type TokenAt = { readonly tokenLabel: string; readonly pinFile: string };
export type Opened = { readonly desk: Desk; readonly place: string } & {
  readonly [name in TokenKeyName]: ObjectHandle;
};

/** The token's keys are not what they were. `damaged`: one line for each, with its label. */
export class DamagedKeys extends Fault {
  readonly damaged: readonly string[];
  constructor(damaged: readonly string[]) {
    super("vault/keys-damaged", `keys of the vault are missing from its token or damaged: ${damaged.join("; ")}`);
    this.damaged = damaged;
  }
}

/** Sessions on the one token of this label, logged in. The module has been initialised. */
export function openDesk(module: Module, { tokenLabel, pinFile }: TokenAt): Desk {
  const slots = module.slotsOf(tokenLabel);
  const [slot] = slots;
  if (slot === undefined)
    throw new Fault("pkcs11/no-token", `the PKCS #11 module shows no token with the label ${tokenLabel}`);
  if (slots.length > 1)
    throw new Fault(
      "pkcs11/two-tokens",
      `the PKCS #11 module shows ${slots.length} tokens with the label ${tokenLabel}`,
      {
        retry: "never",
      },
    );
  const desk = new Desk(module, slot);
  try {
    desk.login(readPin(pinFile));
    return desk;
  } catch (error) {
    desk.close();
    throw error;
  }
}

/** Processes that start at the same moment can disturb one another in SoftHSM: another try after a moment helps. */
export function openDeskPatiently(module: Module, at: TokenAt, tries = 5): Desk {
  for (let left = tries; ; left -= 1) {
    try {
      module.ensureInitialised();
      return openDesk(module, at);
    } catch (error) {
      if (left <= 1 || !(error instanceof Fault) || error.retry === "never") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.random() * 30 * (1 + tries - left));
      module.finalise();
    }
  }
}

/** Throws DamagedKeys, or a Fault that says what else is wrong. */
export function openKeys(module: Module, desk: Desk, pinned: PinnedFile): Opened {
  const damaged: string[] = [];
  const found = {} as { [name in TokenKeyName]: ObjectHandle };
  for (const name of tokenKeyNames) {
    const { wanted } = tokenKeys[name];
    const { CLASS = objectClass.secretKey } = wanted.values;
    const objects = desk.find(template({ CLASS, TOKEN: true, LABEL: labelOf(name) }));
    const [object] = objects;
    const trouble =
      object === undefined
        ? "missing"
        : objects.length > 1
          ? `${objects.length} keys of this label`
          : whatIsWrong(desk, name, object, pinned);
    if (trouble !== undefined) damaged.push(`${labelOf(name)}: ${trouble}`);
    else found[name] = object as ObjectHandle;
  }
  if (damaged.length > 0) throw new DamagedKeys(damaged);
  if (!same(macOf(desk, found.storage, pinnedText(pinned)), pinned.mac))
    throw new Fault("vault/changed", "vault.json was changed by somebody else: restore it from a backup", {
      retry: "never",
    });
  const ignored = tryTemplates(desk, found.storage);
  if (ignored.length > 0)
    throw new Fault("pkcs11/attributes", `the PKCS #11 module does not keep attributes: ${ignored.join(", ")}`, {
      retry: "never",
    });
  return { desk, place: `${module.describe(desk.slot)}, token ${pinned.tokenLabel}`, ...found };
}

function whatIsWrong(desk: Desk, name: TokenKeyName, key: ObjectHandle, pinned: PinnedFile): string | undefined {
  const wanted = template(tokenKeys[name].wanted.values, { ID: Buffer.from(pinned.id, "hex") });
  const different = readBack(desk, key, wanted);
  if (different.length > 0) return `not the attributes it was made with: ${different.join(", ")}`;
  return isTheSame[name](desk, key, pinned) ? undefined : "another key, or damaged";
}

/** Does the key what only the one that was made can do? */
const isTheSame: { readonly [name in TokenKeyName]: (desk: Desk, key: ObjectHandle, pinned: PinnedFile) => boolean } = {
  storage: (desk, key, { check }) => same(macOf(desk, key, checkText), check),
  sealing: (desk, key, { sealingKey }) =>
    rsaPublicKey(desk.objects, key) === sealingKey && opensWhatIsSealed(desk, key, sealingKey),
  audit: (desk, key, { auditKey }) => isSignedBy(auditKey, checkText, desk.sign(ecdsa, key, sha256(checkText), 64)),
};

function opensWhatIsSealed(desk: Desk, key: ObjectHandle, sealingKey: string): boolean {
  const secret = randomFillSync(secretOctets(16));
  const sealed = publicEncrypt({ key: publicKeyOf(sealingKey), ...oaep }, secret);
  const expected = new KeySchedule(secret).cmac(checkText);
  return withObjects(desk, (own) => {
    const opened = own(desk.objects.unwrap(rsaOaep, key, sealed, unwrapped.root));
    return timingSafeEqual(desk.sign(aesCmac, opened, checkText, 16), expected);
  });
}

/** CMAC under the key that authenticates the vault's file. */
export const macOf = (desk: Desk, storage: ObjectHandle, text: Uint8Array): Uint8Array =>
  withObjects(desk, (own) =>
    desk.sign(aesCmac, own(desk.objects.derive(cbcEncryptData(pinContext), storage, derived256.pin)), text, 16),
  );

const same = (octets: Uint8Array, base64: string): boolean => {
  const expected = parseBase64(base64);
  return expected?.length === octets.length && timingSafeEqual(octets, expected);
};
