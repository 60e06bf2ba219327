/** `trefoil verify-custody` (npm run verify:custody): proves on a running network who holds which key. docs/custody.md. */
import { type Command, Option } from "commander";
import { everyLeak, type Leak, parseLeak } from "../custody/leaks.ts";
import { type Engine, prove } from "../custody/prove.ts";
import { proofText } from "../custody/report.ts";
import type { Output } from "./output.ts";
import { action } from "./run.ts";

type Options = { readonly vault: Engine | "both"; readonly plantLeak?: string };

export function addVerifyCustodyCommand(program: Command): void {
  program
    .command("verify-custody")
    .description(
      "play joins and traffic with known keys, search every process for them, print who held what (npm run verify:custody)",
    )
    .addOption(new Option("--vault <engine>", "which vault").choices(["both", "software", "softhsm"]).default("both"))
    .option(
      "--plant-leak <leak>",
      'have a server leave a key where it must not be, to see the proof fail: KIND:FORM:PLACE:SERVER, such as "root key:hex:log:network-server", or "every"',
    )
    .action(
      action(async (out: Output, command) => {
        const { vault, plantLeak } = command.opts<Options>();
        const leaks: readonly Leak[] =
          plantLeak === undefined ? [] : plantLeak === "every" ? everyLeak() : [parseLeak(plantLeak)];
        for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
        for (const engine of vault === "both" ? (["software", "softhsm"] as const) : [vault]) {
          const proof = await prove({ engine, leaks, note: out.note });
          out.result(proof, () => proofText(proof));
          if (!proof.proven) process.exitCode = 1;
        }
      }),
    );
}
