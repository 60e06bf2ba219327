/** `npm run bench -- joins`: joins per second through Backend Interfaces, beside the same calls to the vault's engine in a bare loop. */
import { Helper } from "../uplinks/child.ts";
import { cpuMicros } from "../uplinks/usage.ts";
import { runBare } from "./bare.ts";
import type { Ran } from "./generator.ts";
import { type JoinsOptions, makeSetting, register, requester } from "./network.ts";

export type JoinsReport = {
  readonly vault: JoinsOptions["vault"];
  readonly macVersion: string;
  readonly devices: number;
  readonly processes: number;
  readonly joinsPerSecond: number;
  readonly rawJoinsPerSecond: number;
  readonly ratio: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** Joins that were not answered with Success, by result code. */
  readonly refused: { readonly [result: string]: number };
  readonly connections: number;
  readonly cpuMicrosPerJoin: { readonly [process: string]: number };
  readonly rawCpuMicrosPerJoin: number;
};

const warmUpSeconds = 3;

export async function benchJoins(options: JoinsOptions): Promise<JoinsReport> {
  const { vault, devices, processes, seconds, macVersion, connections, say } = options;
  const setting = makeSetting(options);
  try {
    const network = await setting.start();
    const generator = new Helper("../joins/generator.ts");
    try {
      say(`bench: registering ${devices} devices ...`);
      await register(setting, options);
      // The vault's processes are idle while the bare loops run, and the other way round.
      const before = await runBare(setting.vaultOrder, processes);
      say(`bench: bare loops: ${Math.round(before.perSecond)} joins/s`);
      await generator.ask({ start: requester(setting, network, options) }, "ready");
      await generator.ask<Ran>({ run: { seconds: warmUpSeconds } }, "ran");
      const pids = Object.entries(network.running()).flatMap(([name, running]) =>
        running ? [[name, running.pid] as const] : [],
      );
      const all = [...pids, ["generator", generator.pid] as const];
      const books = () => all.map(([, pid]) => cpuMicros(pid));
      const first = books();
      const ran = await generator.ask<Ran>({ run: { seconds } }, "ran");
      const last = books();
      say(`bench: through Backend Interfaces: ${Math.round(ran.joins / ran.seconds)} joins/s`);
      const after = await runBare(setting.vaultOrder, processes);
      say(`bench: bare loops: ${Math.round(after.perSecond)} joins/s`);
      const raw = (before.perSecond + after.perSecond) / 2;
      const rate = ran.joins / ran.seconds;
      const micros = all.map(
        ([name], i) => [name, Math.round(((last[i] ?? 0) - (first[i] ?? 0)) / ran.joins)] as const,
      );
      return {
        ...{ vault, macVersion, devices, processes },
        joinsPerSecond: Math.round(rate),
        rawJoinsPerSecond: Math.round(raw),
        ratio: Math.round((rate / raw) * 1_000) / 1_000,
        latencyMs: ran.latencyMs,
        refused: ran.refused,
        connections,
        cpuMicrosPerJoin: Object.fromEntries(micros.filter(([, used]) => used > 0)),
        rawCpuMicrosPerJoin: Math.round((before.cpuMicrosPerJoin + after.cpuMicrosPerJoin) / 2),
      };
    } finally {
      if (generator.process.connected) generator.stop();
      await network.stop();
    }
  } finally {
    setting.remove();
  }
}

export function showJoins(report: JoinsReport): string {
  const { joinsPerSecond, rawJoinsPerSecond, ratio, latencyMs, refused } = report;
  const others = Object.entries(refused).map(([result, count]) => `${count} ${result}`);
  return [
    `${report.vault}, ${report.processes} process${report.processes === 1 ? "" : "es"} of the vault, ${report.devices} devices of LoRaWAN ${report.macVersion}`,
    `through Backend Interfaces   ${joinsPerSecond} joins/s${others.length > 0 ? `, and ${others.join(", ")}` : ""}`,
    `bare loops                   ${rawJoinsPerSecond} joins/s: the network reaches ${Math.round(ratio * 100)} % of it`,
    `latency                      p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms, with ${report.connections} requests under way`,
    "CPU per join, microseconds",
    ...Object.entries({ ...report.cpuMicrosPerJoin, "(a bare loop)": report.rawCpuMicrosPerJoin }).map(
      ([name, used]) => `  ${name.padEnd(20)} ${String(used).padStart(8)}`,
    ),
  ].join("\n");
}
