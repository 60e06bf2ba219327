/** The verifier's hold on its virtual devices (devices.ts). */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Address } from "@trefoil/wire";
import type { Credentials } from "../demo/simulator.ts";
import { projectDir } from "../supervisor/node-flags.ts";
import type { Answer, Order } from "./devices.ts";

type Wish<O> = O extends Order ? Omit<O, "id"> : never;
export type VirtualDevices = {
  readonly pid: number;
  ask(order: Wish<Order>): Promise<Answer>;
  stop(): Promise<void>;
};

export async function startDevices(
  credentials: readonly Credentials[],
  where: { readonly server: Address; readonly region: string; readonly gateways: readonly string[] },
): Promise<VirtualDevices> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", `${projectDir}apps/trefoil/src/custody/devices.ts`],
    { stdio: ["pipe", "pipe", "inherit"], detached: true },
  );
  const waiting = new Map<number, (answer: Answer) => void>();
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.stdin.on("error", () => undefined);
  createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = JSON.parse(line) as Answer;
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  void exited.then(() => {
    for (const [id, settle] of waiting) settle({ id, done: false, error: "the virtual devices ended" });
  });
  let lastId = 0;
  const devices: VirtualDevices = {
    pid: child.pid as number,
    ask: (order) =>
      new Promise((resolve) => {
        const id = ++lastId;
        waiting.set(id, resolve);
        child.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
      }),
    stop: async () => {
      child.stdin.end();
      child.kill("SIGTERM");
      await exited;
    },
  };
  const begun = await devices.ask({ do: "begin", credentials: JSON.stringify(credentials), ...where });
  if (!begun.done) throw new Error(begun.error);
  return devices;
}
