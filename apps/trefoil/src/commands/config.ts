/** `trefoil config`: the configuration as the servers get it, defaults filled in. */
import { printConfig } from "@trefoil/service/config";
import type { Command } from "commander";
import type { Output } from "./output.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

export function addConfigCommand(program: Command): void {
  program
    .command("config")
    .description("print the configuration that results from file, environment and defaults")
    .action(
      action(async (out: Output, command) => {
        const { config } = loadSettings(optionsOf(command));
        out.result(config, () => printConfig(config));
      }),
    );
}
