/** The command line: `trefoil <command>`. `bin/trefoil.mjs` finds the right Node and runs this. */
import { Command } from "commander";
import { addApplicationCommands } from "./commands/application.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDeviceCommands } from "./commands/device.ts";
import { addGatewayCommands } from "./commands/gateway.ts";
import { addInitCommand } from "./commands/init.ts";
import { addStartCommand } from "./commands/start.ts";
import { addVerifyCustodyCommand } from "./commands/verify-custody.ts";

const program = new Command("trefoil")
  .description("A LoRaWAN network in which no server holds a key that it does not need.")
  .option("--config <file>", "configuration file (trefoil.yaml, when it exists)")
  .option("--data <folder>", "data folder (./trefoil-data)")
  .option("--json", "answer in JSON, for programs")
  .showHelpAfterError()
  .enablePositionalOptions(false);

addStartCommand(program);
addInitCommand(program);
addApplicationCommands(program);
addGatewayCommands(program);
addDeviceCommands(program);
addConfigCommand(program);
addDemoCommand(program);
addVerifyCustodyCommand(program);

await program.parseAsync(process.argv);
