/** One trial: so many uplinks per second for so long, then everything has to have arrived. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Generator } from "./generator.ts";
import { cpuMicros, residentOctets } from "./usage.ts";

/** What the load is sent to: the network, or the bare pipeline. */
export type Target = {
  readonly port: number;
  /** Uplinks that have gone the whole way: delivered once to the subscriber, or with their counter on the disk. */
  readonly arrived: () => Promise<number>;
  readonly pids: { readonly [process: string]: number };
  readonly stop: () => Promise<void>;
};

export type Outcome = {
  /** What was really sent per second: less than asked for where the generator itself could not. */
  readonly rate: number;
  readonly sent: number;
  readonly arrived: number;
  readonly lost: number;
  /** Nothing lost, and everything there within some two seconds: the target keeps up. */
  readonly sustained: boolean;
  readonly cpuMicros: { readonly [process: string]: number };
};

const drainMs = 2_000;
const giveUpMs = 5_000;

export async function trial(target: Target, generator: Generator, rate: number, seconds: number): Promise<Outcome> {
  const before = { ...generator.last, arrived: await target.arrived(), cpu: usage(target) };
  const started = performance.now();
  generator.setRate(rate);
  await sleep(seconds * 1000);
  const took = performance.now() - started;
  const after = await generator.pause();
  const sent = after.sent - before.sent;
  await sleep(drainMs - 1000); // the generator's two reports have taken another one or two
  const inTime = (await target.arrived()) - before.arrived;
  const arrived = inTime === sent ? inTime : (await drained(target)) - before.arrived;
  const cpu = usage(target);
  return {
    rate: Math.round((sent * 1000) / took),
    ...{ sent, arrived, lost: sent - arrived },
    sustained: inTime === sent,
    cpuMicros: Object.fromEntries(Object.entries(cpu).map(([name, value]) => [name, value - (before.cpu[name] ?? 0)])),
  };
}

/** Waits until nothing more arrives, and tells how many have. */
async function drained(target: Target): Promise<number> {
  for (let last = -1, now = await target.arrived(); ; now = await target.arrived()) {
    if (now === last) return now;
    last = now;
    await sleep(giveUpMs);
  }
}

const usage = (target: Target): { readonly [process: string]: number } =>
  Object.fromEntries(Object.entries(target.pids).map(([name, pid]) => [name, cpuMicros(pid)]));

export const memory = (target: Target): { readonly [process: string]: number } =>
  Object.fromEntries(Object.entries(target.pids).map(([name, pid]) => [name, residentOctets(pid)]));
