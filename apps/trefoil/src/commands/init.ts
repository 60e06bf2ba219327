/** `trefoil init`: the realm owner's key, certificates and KEKs. `npm start` does it too, where it has not been done. */
import type { Command } from "commander";
import { initialise } from "../init/init.ts";
import { isInitialised } from "../owner/record.ts";
import { lockDataFolder, prepareDataFolder } from "../supervisor/data-folder.ts";
import { decideUsers } from "../supervisor/users.ts";
import { facts, fingerprintText, type Output, UserError } from "./output.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

export function addInitCommand(program: Command): void {
  program
    .command("init")
    .description("make the realm owner's key, the vault, the servers' certificates and KEKs in a new data folder")
    .option("--join-server", "for a Join Server alone, beside a network of somebody else")
    .action(
      action(async (out: Output, command) => {
        const { config, dataDir } = loadSettings(optionsOf(command));
        const users = decideUsers(dataDir, config.users);
        const deployment = command.opts<{ joinServer?: boolean }>().joinServer ? "join-server" : "network";
        prepareDataFolder(dataDir, users, deployment);
        if (isInitialised(dataDir))
          throw new UserError("init/done", `${dataDir} has been initialised already: nothing was changed`);
        const lock = await lockDataFolder(dataDir);
        const made = await initialise({ config, dataDir, users, deployment }).finally(lock.release);
        out.result(made, () =>
          [
            `The realm is made in ${dataDir}.`,
            "",
            facts([
              ["realm owner's key", fingerprintText(made.owner)],
              ["vault", fingerprintText(made.vault)],
            ]),
            "",
            "Write both fingerprints down: they tell your realm and your vault from any other.",
            `The owner's secrets lie in ${dataDir}/owner: no server can read them. Keep a copy elsewhere.`,
          ].join("\n"),
        );
      }),
    );
}
