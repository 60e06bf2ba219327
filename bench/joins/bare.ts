/** The same calls to the same module, in bare loops (servers/vault/src/pkcs11/bare.ts): as many processes as the vault has, at the same time. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { projectDir } from "../../apps/trefoil/src/supervisor/node-flags.ts";

type Result = { readonly joins: number; readonly seconds: number; readonly cpuMicros: number };
type Loop = { readonly child: ChildProcessWithoutNullStreams; readonly next: () => Promise<string> };

/** All loops together. */
export type Bare = { readonly perSecond: number; readonly cpuMicrosPerJoin: number };

export async function runBare(order: object, processes: number): Promise<Bare> {
  const loops: Loop[] = [];
  try {
    for (let i = 0; i < processes; i += 1) {
      const loop = start(order);
      loops.push(loop);
      if ((await loop.next()) !== "ready") throw new Error("the bare loop did not start");
    }
    for (const { child } of loops) child.stdin.write("go\n");
    const results: Result[] = await Promise.all(loops.map(async ({ next }) => JSON.parse(await next())));
    const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
    return {
      perSecond: sum(({ joins, seconds }) => joins / seconds),
      cpuMicrosPerJoin: sum(({ cpuMicros }) => cpuMicros) / sum(({ joins }) => joins),
    };
  } finally {
    for (const { child } of loops) child.kill();
  }
}

function start(order: object): Loop {
  const child = spawn(process.execPath, [`${projectDir}servers/vault/src/pkcs11/bare.ts`], {
    stdio: ["pipe", "pipe", "inherit"],
  }) as unknown as ChildProcessWithoutNullStreams;
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${JSON.stringify(order)}\n`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    next: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error("the bare loop ended before its time");
      return value;
    },
  };
}
