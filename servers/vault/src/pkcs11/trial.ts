/**
 * Does the module do as its templates say? One throw-away key of each purpose is made from a key that derives, read back, compared, and
 * destroyed: at each opening, as a module that ignores an attribute ignores it always; and by `trefoil vault check`.
 */
import { type AttributeName, differences, type Template, template } from "./attributes.ts";
import type { Desk } from "./desk.ts";
import { sessionKeys } from "./keys.ts";
import { aesKeyWrap, cbcEncryptData } from "./mechanisms.ts";
import type { ObjectHandle } from "./module.ts";

export type Purpose = keyof typeof sessionKeys;
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

/** "kek: CKA_MODIFIABLE" for each attribute of each purpose that is not as it was asked for. */
export function tryTemplates(desk: Desk, derives: ObjectHandle): readonly string[] {
  return withObjects(desk, (own) => {
    const { objects } = desk;
    const derive = (what: Template) =>
      own(objects.derive(cbcEncryptData(what.values.VALUE_LEN === 16 ? oneBlock : twoBlocks), derives, what));
    const [wrapping, unwrapping] = [derive(sessionKeys.wrapping), derive(sessionKeys.unwrapping)];
    const wrapped = objects.wrap(aesKeyWrap, wrapping, derive(sessionKeys.derived), 24);
    const unwrap = (what: Template) => own(objects.unwrap(aesKeyWrap, unwrapping, wrapped, what));
    return (Object.keys(sessionKeys) as Purpose[]).flatMap((purpose) => {
      const what = sessionKeys[purpose];
      const [object, wanted] =
        purpose === "transport"
          ? [own(objects.copy(unwrap(sessionKeys.newTransport), what)), template(sessionKeys.newTransport.values, what.values)]
          : [what.values.VALUE_LEN === undefined ? unwrap(what) : derive(what), what];
      return readBack(desk, object, wanted).map((name) => `${purpose}: ${name}`);
    });
  });
}
