/**
 * What the devices keep in flash (DevNonce, JoinNonce, RJcount1), in a file, so that a second run with the same devices is a power
 * cut and not a device that lost its memory: from 1.0.4 on a network must refuse the latter. TS001-1.0.4 §6.2.4
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { DeviceMemory } from "../device/device.ts";
import { ScenarioError } from "./scenario.ts";

export type Memories = Map<string, DeviceMemory>;

/** A file that is not there yet is an empty one. */
export function readMemories(path: string): Memories {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  const refuse = () => new ScenarioError(`${path}: expected what an earlier run wrote there`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse();
  }
  if (typeof value !== "object" || value === null) throw refuse();
  return new Map(
    Object.entries(value as Record<string, Partial<DeviceMemory> | null>).map(([devEui, memory]) => {
      const { devNonce, joinNonce, rjCount1 = 0 } = memory ?? {};
      if (![devNonce, joinNonce, rjCount1].every(Number.isInteger)) throw refuse();
      return [devEui, { devNonce: devNonce as number, joinNonce: joinNonce as number, rjCount1 }];
    }),
  );
}

export function writeMemories(path: string, memories: Memories): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(Object.fromEntries(memories))}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
