/** The server's own keys, made by `trefoil init` and read once: its KEK with those that followed it, and the private half of its sealing key. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  decodeSealingKey,
  KekRing,
  makeOpener,
  type Opener,
  type PublishedReceiver,
  publishReceiver,
} from "@trefoil/custody";
import { Fault } from "@trefoil/service";

export type OwnKeys = { readonly keks: KekRing; readonly opener: Opener; readonly sealingKey: PublishedReceiver };

export function readKeys(dataDir: string): OwnKeys {
  const keks = new KekRing(dataDir);
  const privateKey = open(dataDir, "sealing.key", decodeSealingKey);
  return { keks, opener: makeOpener(privateKey), sealingKey: publishReceiver(privateKey) };
}

function open<T>(dataDir: string, name: string, decode: (octets: Buffer) => T | undefined): T {
  const unusable = (cause?: unknown) =>
    new Fault("start/keys", `${name} of the application-server cannot be read: run trefoil init`, {
      retry: "never",
      fields: { file: name },
      cause,
    });
  let octets: Buffer;
  try {
    octets = readFileSync(join(dataDir, name));
  } catch (cause) {
    throw unusable(cause);
  }
  try {
    const key = decode(octets);
    if (key === undefined) throw unusable();
    return key;
  } catch (cause) {
    throw cause instanceof Fault ? cause : unusable();
  } finally {
    octets.fill(0);
  }
}
