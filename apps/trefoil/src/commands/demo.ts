/** `trefoil demo` (npm run demo): see demo/demo.ts. */
import { clearLine } from "node:readline";
import type { Command } from "commander";
import { startDemo } from "../demo/demo.ts";
import { openPage } from "../demo/page.ts";
import type { Summary } from "../demo/tally.ts";
import { drawTerminal, overwrite } from "../demo/terminal.ts";
import { logSink } from "../supervisor/log.ts";
import type { Output } from "./output.ts";
import { parseCount } from "./parse.ts";
import { action } from "./run.ts";
import { signalled } from "./start.ts";

const pagePort = 1885;
const drawEveryMs = 500;

type DemoOptions = { readonly uplinks?: string; readonly speed?: string };

export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("the network in a throw-away folder with a simulated parking lot (npm run demo)")
    .option("--uplinks <n>", "end by itself after so many delivered uplinks")
    .option("--speed <n>", "scenario seconds per second (radio timing stays real)")
    .action(
      action(async (out: Output, command) => {
        const options = command.opts<DemoOptions>();
        const wanted = options.uplinks === undefined ? undefined : parseCount("--uplinks", options.uplinks);
        const summary = await runDemo(
          out,
          wanted,
          options.speed === undefined ? undefined : parseCount("--speed", options.speed),
        );
        out.result(summary, () => summaryText(summary));
        if (summary.lost > 0) process.exitCode = 1;
      }),
    );
}

async function runDemo(out: Output, wanted: number | undefined, speed: number | undefined): Promise<Summary> {
  const stopAsked = signalled();
  const enough = Promise.withResolvers<void>();
  const hopeless = Promise.withResolvers<never>();
  hopeless.promise.catch(() => undefined);
  out.note("Starting five processes in a throw-away folder, with fresh keys and certificates …");
  const demo = await startDemo({
    ...(speed === undefined ? {} : { speed }),
    log: logSink({ format: "auto" }, process.stderr),
    onHopeless: (error) => hopeless.reject(error),
    onDelivered: (count) => {
      if (wanted !== undefined && count >= wanted) enough.resolve();
    },
  });
  const page = out.json ? undefined : await openPage(pagePort);
  const live = !out.json && process.stdout.isTTY;
  if (!live && page) out.note(`The live page: ${page.url}`);
  let drawn = 0;
  const timer = setInterval(() => {
    const show = demo.show();
    page?.show(show);
    if (!live) return;
    const text = drawTerminal(show, page?.url);
    process.stdout.write(overwrite(drawn) + text);
    drawn = text.split("\n").length - 1;
  }, drawEveryMs);
  try {
    await Promise.race([stopAsked, enough.promise, hopeless.promise]);
  } finally {
    clearInterval(timer);
    page?.close();
  }
  if (live) clearLine(process.stdout, 0);
  out.note("Ending: letting what is on its way arrive …");
  return demo.end();
}

function summaryText({
  devices,
  joins,
  uplinksSent,
  heard,
  delivered,
  duplicates,
  lost,
  micFailures,
  latencyMs,
}: Summary): string {
  return [
    `${joins} joins of ${devices} devices. ${uplinksSent} uplinks sent, ${heard} heard by a gateway, ${delivered} delivered and decrypted.`,
    `Lost ${lost}, duplicates ${duplicates}, MIC failures ${micFailures}. Latency from gateway to application: p50 ${latencyMs.p50} ms, p90 ${latencyMs.p90} ms, p99 ${latencyMs.p99} ms.`,
  ].join("\n");
}
