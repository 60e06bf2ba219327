/**
 * `npm run bench -- <what> [options] [--json]`: each figure beside what it is to be judged by, measured in the same run.
 * With --json the report is the last line of the output.
 */
import { parseArgs } from "node:util";

type Values = { readonly [option: string]: string | boolean | undefined };
type Bench = {
  readonly about: string;
  /** Runs it and gives the report and its form for people. */
  readonly run: (options: Values) => Promise<{ readonly report: object; readonly text: string }>;
};

const benches: { readonly [name: string]: Bench } = {
  codec: {
    about: "MIC check and decryption, decoding, join-accept, each beside lora-packet",
    run: async () => {
      const { benchCodec, showCodec } = await import("./codec.ts");
      const report = benchCodec();
      return { report, text: showCodec(report) };
    },
  },
  uplinks: {
    about:
      "uplinks per second through the whole path, beside a bare pipeline [--devices 10000] [--seconds 30] [--rate N: only this rate] [--qos 0|1]",
    run: async (options) => {
      const { benchUplinks, showUplinks } = await import("./uplinks/report.ts");
      const report = await benchUplinks({
        devices: whole(options, "devices") ?? 10_000,
        seconds: whole(options, "seconds") ?? 30,
        rate: whole(options, "rate") ?? 1_000,
        fixed: options.rate !== undefined,
        qos: options.qos === "0" ? 0 : 1,
        say: (line) => console.error(line),
      });
      return { report, text: showUplinks(report) };
    },
  },
  joins: {
    about:
      "joins per second through Backend Interfaces, beside the same calls in a bare loop [--vault software|softhsm] [--devices 10000] [--processes 1] [--seconds 20] [--mac-version 1.0.4|1.1] [--connections 32]",
    run: async (options) => {
      const { benchJoins, showJoins } = await import("./joins/report.ts");
      const report = await benchJoins({
        vault: oneOf(options, "vault", ["software", "softhsm"]),
        devices: whole(options, "devices") ?? 10_000,
        processes: whole(options, "processes") ?? 1,
        seconds: whole(options, "seconds") ?? 20,
        macVersion: oneOf(options, "mac-version", ["1.0.4", "1.1"]),
        connections: whole(options, "connections") ?? 32,
        say: (line) => console.error(line),
      });
      return { report, text: showJoins(report) };
    },
  },
};

/** The first one where nothing is said. */
function oneOf<const T extends string>(options: Values, name: string, all: readonly [T, ...T[]]): T {
  const text = options[name] ?? all[0];
  const known = all.find((one) => one === text);
  if (known !== undefined) return known;
  console.error(`--${name}: expected ${all.join(" or ")}`);
  process.exit(2);
}

function whole(options: Values, name: string): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name}: expected a whole number above 0`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: true,
  options: {
    json: { type: "boolean" },
    devices: { type: "string" },
    seconds: { type: "string" },
    rate: { type: "string" },
    qos: { type: "string" },
    vault: { type: "string" },
    processes: { type: "string" },
    "mac-version": { type: "string" },
    connections: { type: "string" },
  },
});
const bench = Object.hasOwn(benches, positionals[0] ?? "") ? benches[positionals[0] as string] : undefined;
if (!bench || positionals.length > 1) {
  console.error("Usage: npm run bench -- <what> [--json]\n");
  for (const [name, { about }] of Object.entries(benches)) console.error(`  ${name.padEnd(10)} ${about}`);
  process.exit(2);
}
const { report, text } = await bench.run(values);
console.log(values.json ? JSON.stringify(report) : text);
