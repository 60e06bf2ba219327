/**
 * After `trefoil restore` (DESIGN §4): the whole machine is as old as its backup, the vault's log too, so nobody knows how far JoinNonces
 * have come since. All of them jump, once, before the first join is served. `restored.json` says by how much; it is taken away when done.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@trefoil/service";
import type { AnchorPorts } from "./anchor.ts";

type Restore = { readonly at: number; readonly jumpJoinNonce: number };

/** How far they jumped, when there was something to do. */
export async function takeInRestore(dataDir: string, ports: AnchorPorts): Promise<number | undefined> {
  const { store, registry, audit } = ports;
  const path = join(dataDir, "restored.json");
  const restore = read(path);
  if (restore === undefined) return undefined;
  const { at, jumpJoinNonce } = restore;
  // Already done, where the process ended before the file was gone.
  if (!registry.isRestoreKnown(at)) {
    await store.commit([
      { statement: "jumpJoinNonces", rows: [[jumpJoinNonce]] },
      { statement: "noteRestore", rows: [[at, registry.joinNonceFloor + jumpJoinNonce]] },
      audit.entry("store/restored", null, { at, jumpJoinNonce }),
    ]);
  }
  rmSync(path);
  return jumpJoinNonce;
}

function read(path: string): Restore | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unreadable(path, cause);
  }
  const restore = parse(text);
  if (restore === undefined) throw unreadable(path);
  return restore;
}

/** Nothing is served then: JoinNonces that were not raised would be refused by devices, or used twice. */
const unreadable = (path: string, cause?: unknown) =>
  new Fault("store/restore-unreadable", `${path} does not say how far JoinNonces must jump: restore again`, {
    retry: "never",
    cause,
  });

function parse(text: string): Restore | undefined {
  try {
    const { at, jumpJoinNonce } = JSON.parse(text) as Partial<Restore>;
    const isCount = (value: unknown, most: number): value is number =>
      Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= most;
    return isCount(at, Number.MAX_SAFE_INTEGER) && isCount(jumpJoinNonce, 0xff_ffff)
      ? { at, jumpJoinNonce }
      : undefined;
  } catch {
    return undefined;
  }
}
