/** `trefoil join-server`: a Join Server alone, with its vault, beside a network of somebody else (docs/beside). */
import type { Command } from "commander";
import { joinServerScreen } from "../supervisor/screen.ts";
import type { Output } from "./output.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";
import { runInForeground } from "./start.ts";

export function addJoinServerCommand(program: Command): void {
  program
    .command("join-server")
    .description("run a Join Server alone, beside The Things Stack, ChirpStack or any network that speaks TS002")
    .action(
      action(async (out: Output, command) =>
        runInForeground(out, loadSettings(optionsOf(command)), "join-server", joinServerScreen),
      ),
    );
}
