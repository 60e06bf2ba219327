/** `npm run bench -- uplinks`: uplinks per second through the whole path, beside the bare pipeline in the same run. */
import { startBare } from "./bare-target.ts";
import { Generator } from "./generator.ts";
import { startNetworkTarget } from "./network-target.ts";
import { search } from "./search.ts";
import { memory, type Outcome, type Target, trial } from "./trial.ts";

type PerProcess = { readonly [process: string]: number };
export type UplinksReport = {
  readonly devices: number;
  /** Without loss for `seconds`. */
  readonly sustainedPerSecond: number;
  readonly seconds: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly barePerSecond: number;
  readonly ratio: number;
  readonly cpuMicrosPerUplink: PerProcess;
  readonly bareCpuMicrosPerUplink: number;
  /** From the datagram's leaving the generator to the message's arrival at the subscriber; the time in which receptions of several gateways are merged (200 ms) is in it. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly memoryBytes: PerProcess;
};
export type UplinksOptions = {
  readonly devices: number;
  /** Of the trial that counts. */
  readonly seconds: number;
  /** Where the search begins; with `fixed`, the one rate that is tried. */
  readonly rate: number;
  readonly fixed: boolean;
  readonly qos: 0 | 1;
  readonly say: (line: string) => void;
};

const seed = 1;
const gateways = 8;
const shortSeconds = 5;

export async function benchUplinks(options: UplinksOptions): Promise<UplinksReport> {
  const { devices, seconds, qos, say } = options;
  const bare = await startBare(devices);
  const yardstick = await withLoad(bare, options, "bare pipeline", {
    ...options,
    rate: Math.max(options.rate, 8000),
    fixed: false,
  });

  say(`bench: starting the network and registering ${devices} devices ...`);
  const network = await startNetworkTarget({ devices, seed, gateways, qos, say });
  let delivered = await network.delivered();
  const result = await withLoad(network, options, "network", options, async () => {
    delivered = await network.delivered();
  });

  const perUplink = ({ cpuMicros, sent }: Outcome): PerProcess =>
    mapValues(cpuMicros, (micros) => Math.round((micros / sent) * 10) / 10);
  return {
    devices,
    sustainedPerSecond: result.outcome.rate,
    seconds,
    lost: result.outcome.lost,
    duplicates: delivered.duplicates,
    barePerSecond: yardstick.outcome.rate,
    ratio: Math.round((result.outcome.rate / yardstick.outcome.rate) * 1000) / 1000,
    cpuMicrosPerUplink: perUplink(result.outcome),
    bareCpuMicrosPerUplink: perUplink(yardstick.outcome).bare ?? 0,
    latencyMs: delivered.latencyMs,
    memoryBytes: result.memory,
  };
}

/** Finds what the target sustains, and stops it. `afterEach` trial. */
async function withLoad(
  target: Target,
  { devices, say }: UplinksOptions,
  name: string,
  { rate, seconds, fixed }: Pick<UplinksOptions, "rate" | "seconds" | "fixed">,
  afterEach: () => Promise<void> = async () => undefined,
) {
  try {
    const generator = await Generator.start(target.port, devices, seed, gateways);
    const loaded: Target = { ...target, pids: { ...target.pids, generator: generator.pid } };
    const attempt = async (asked: number, forSeconds: number) => {
      const outcome = await trial(loaded, generator, asked, forSeconds);
      await afterEach();
      say(
        `bench: ${name}: ${outcome.rate} uplinks/s for ${forSeconds} s: ${outcome.lost} of ${outcome.sent} lost${outcome.sustained ? "" : ", not sustained"}`,
      );
      return outcome;
    };
    try {
      const outcome = fixed
        ? await attempt(rate, seconds)
        : await search(attempt, { from: rate, shortSeconds, longSeconds: seconds });
      return { outcome, memory: memory(loaded) };
    } finally {
      await generator.stop();
    }
  } finally {
    await target.stop();
  }
}

const mapValues = (values: PerProcess, change: (value: number) => number): PerProcess =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));

export function showUplinks(report: UplinksReport): string {
  const table = (values: PerProcess, show: (value: number) => string) =>
    Object.entries(values).map(([name, value]) => `  ${name.padEnd(20)} ${show(value).padStart(10)}`);
  return [
    `${report.devices} devices`,
    `sustained for ${report.seconds} s   ${report.sustainedPerSecond} uplinks/s, ${report.lost} lost, ${report.duplicates} delivered twice`,
    `bare pipeline          ${report.barePerSecond} uplinks/s: the network reaches ${Math.round(report.ratio * 100)} % of it`,
    `latency                p50 ${report.latencyMs.p50} ms, p99 ${report.latencyMs.p99} ms, p99.9 ${report.latencyMs.p999} ms (200 ms of it wait for other gateways)`,
    "CPU per uplink, microseconds",
    ...table({ ...report.cpuMicrosPerUplink, "(bare pipeline)": report.bareCpuMicrosPerUplink }, String),
    "memory, MB",
    ...table(report.memoryBytes, (octets) => (octets / 1e6).toFixed(0)),
  ].join("\n");
}
