/** All commands of the command line. */
import { Command } from "commander";
import { addApplicationCommands } from "./commands/application.ts";
import { addAuditLogCommands } from "./commands/audit-log.ts";
import { addBackupCommands } from "./commands/backup.ts";
import { addCertificateCommands } from "./commands/certificate.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDeviceCommands } from "./commands/device.ts";
import { addGatewayCommands } from "./commands/gateway.ts";
import { addInitCommand } from "./commands/init.ts";
import { addJoinServerCommand } from "./commands/join-server.ts";
import { addKekCommands } from "./commands/kek.ts";
import { addLedgerCommands } from "./commands/ledgers.ts";
import { addMasterKeyCommands } from "./commands/master-key.ts";
import { addPeerCommands } from "./commands/peer.ts";
import { addProvisionerCommands } from "./commands/provisioner.ts";
import { addStartCommand } from "./commands/start.ts";
import { addVaultCommands } from "./commands/vault.ts";
import { addVerifyCustodyCommand } from "./commands/verify-custody.ts";

const groups: { readonly [heading: string]: readonly ((program: Command) => void)[] } = {
  "Run:": [
    addStartCommand,
    addJoinServerCommand,
    addInitCommand,
    addConfigCommand,
    addDemoCommand,
    addVerifyCustodyCommand,
  ],
  "Devices and their data:": [addApplicationCommands, addGatewayCommands, addDeviceCommands],
  "The realm owner says:": [
    addPeerCommands,
    addKekCommands,
    addMasterKeyCommands,
    addProvisionerCommands,
    addCertificateCommands,
  ],
  "Look after it:": [addVaultCommands, addLedgerCommands, addAuditLogCommands, addBackupCommands],
};

export function makeProgram(): Command {
  const program = new Command("trefoil")
    .description("A LoRaWAN network in which no server holds a key that it does not need.")
    .option("--config <file>", "configuration file (trefoil.yaml, when it exists)")
    .option("--data <folder>", "data folder (./trefoil-data)")
    .option("--json", "answer in JSON, for programs")
    .showHelpAfterError()
    .enablePositionalOptions(false);
  for (const [heading, commands] of Object.entries(groups)) {
    program.commandsGroup(heading);
    for (const add of commands) add(program);
  }
  return program;
}
