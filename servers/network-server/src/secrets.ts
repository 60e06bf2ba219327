/** The keys that this server was born with (`trefoil init`): its KEK, and those that followed it; the key that ABP session keys are sealed to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeSealingKey, KekRing, makeOpener, type Opener, publishReceiver } from "@trefoil/custody";
import { Fault } from "@trefoil/service";

export type Secrets = {
  readonly keks: KekRing;
  readonly opener: Opener;
  /** The answer to GET /sealing-key. */
  readonly published: ReturnType<typeof publishReceiver>;
};

export function readSecrets(dataDir: string): Secrets {
  const keks = new KekRing(dataDir);
  const privateKey = wiped(read(dataDir, "sealing.key"), decodeSealingKey);
  return { keks, opener: makeOpener(privateKey), published: publishReceiver(privateKey) };
}

function read(dataDir: string, name: string): Buffer {
  try {
    return readFileSync(join(dataDir, name));
  } catch (cause) {
    throw new Fault("start/keys", `${name} cannot be read: run trefoil init`, { retry: "never", cause });
  }
}

function wiped<T>(octets: Buffer, use: (octets: Buffer) => T): T {
  try {
    return use(octets);
  } finally {
    octets.fill(0);
  }
}
