/**
 * Does the module do as its templates say? One throw-away key for each use is made from a key that derives, read back, compared, and
 * destroyed: at each opening, as a module that ignores an attribute ignores it always; and by `trefoil vault check`.
 */
import { type AttributeName, differences, type Template } from "./attributes.ts";
import type { Desk } from "./desk.ts";
import { derived128, derived256, sessionUses, transport, transportChange, unwrapped } from "./keys.ts";
import { aesKeyWrap, cbcEncryptData } from "./mechanisms.ts";
import type { ObjectHandle } from "./module.ts";

const oneBlock = Buffer.from("trefoil-trial-01", "ascii");
const twoBlocks = Buffer.concat([oneBlock, oneBlock]);

/** In which attributes an object differs from `wanted`. */
export const readBack = (desk: Desk, object: ObjectHandle, wanted: Template): readonly string[] =>
  differences(wanted, desk.objects.read(object, Object.keys(wanted.values) as AttributeName[]));

/** Runs `use` with a maker of objects, all of which are destroyed at its end. */
export function withObjects<T>(desk: Desk, use: (own: (object: ObjectHandle) => ObjectHandle) => T): T {
  const made: ObjectHandle[] = [];
  try {
    return use((object) => {
      made.push(object);
      return object;
    });
  } finally {
    for (const object of made) desk.objects.destroy(object);
  }
}

/** "kek: CKA_MODIFIABLE" for each attribute that is not as it was asked for, of a key derived and of one unwrapped. */
export function tryTemplates(desk: Desk, derives: ObjectHandle): readonly string[] {
  return withObjects(desk, (own) => {
    const { objects } = desk;
    const derive = (blocks: Uint8Array, what: Template) => own(objects.derive(cbcEncryptData(blocks), derives, what));
    const wrapping = derive(twoBlocks, derived256.wrapping);
    const wrapped = objects.wrap(aesKeyWrap, wrapping, derive(oneBlock, derived128.transit), 24);
    const unwrap = (what: Template) => own(objects.unwrap(aesKeyWrap, wrapping, wrapped, what));
    const rows: readonly (readonly [use: string, object: ObjectHandle, wanted: Template])[] = [
      ...sessionUses.map((use) => [use, derive(oneBlock, derived128[use]), derived128[use]] as const),
      ...sessionUses.map((use) => [use, derive(twoBlocks, derived256[use]), derived256[use]] as const),
      ...sessionUses.map((use) => [use, unwrap(unwrapped[use]), unwrapped[use]] as const),
      ["transport", own(objects.copy(unwrap(unwrapped["new transport"]), transportChange)), transport],
    ];
    const wrong = rows.flatMap(([use, object, wanted]) =>
      readBack(desk, object, wanted).map((name) => `${use}: ${name}`),
    );
    return [...new Set(wrong)];
  });
}
