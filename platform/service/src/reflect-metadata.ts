/**
 * The three functions of the Reflect Metadata proposal that @peculiar/x509's tsyringe calls: it demands "a reflect polyfill" and brings none.
 * A module of its own, because it must run before @peculiar/x509 is loaded.
 */
const kept = new WeakMap<object, Map<unknown, unknown>>();

const getOwnMetadata = (key: unknown, target: object) => kept.get(target)?.get(key);

function getMetadata(key: unknown, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
    const own = kept.get(at);
    if (own?.has(key)) return own.get(key);
  }
  return undefined;
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const own = kept.get(target) ?? new Map<unknown, unknown>();
  kept.set(target, own.set(key, value));
}

if (!("getMetadata" in Reflect)) Object.assign(Reflect, { getOwnMetadata, getMetadata, defineMetadata });
