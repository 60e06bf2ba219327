/** `trefoil certificate renew`: new certificates of the private CA for the servers' own keys, so that nothing pinned changes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { renewCertificate } from "@trefoil/service/certificates";
import type { Command } from "commander";
import { hostNamesOf } from "../init/init.ts";
import { askOwner } from "../owner/owner.ts";
import { folderOf, writePrivate } from "../supervisor/data-folder.ts";
import { rolesOf } from "../supervisor/processes.ts";
import { decideUsers } from "../supervisor/users.ts";
import type { Output } from "./output.ts";
import { realmSettings } from "./owner-says.ts";
import { action } from "./run.ts";

export function addCertificateCommands(program: Command): void {
  program
    .command("certificate")
    .description("the servers' own certificates")
    .command("renew")
    .description(
      "new ones for three years, with the host names that joinServer.hostNames has now; used from the next start on",
    )
    .action(
      action(async (out: Output, command) => {
        const { dataDir, config, record } = realmSettings(command);
        const { ca } = await askOwner(dataDir);
        const users = decideUsers(dataDir, config.users);
        const renewed: string[] = [];
        for (const role of rolesOf[record.deployment]) {
          const path = join(folderOf(dataDir, role), "tls.crt");
          if (!existsSync(path)) continue;
          const { certificatePem } = await renewCertificate(
            ca,
            role,
            readFileSync(path, "utf8"),
            hostNamesOf(role, config),
          );
          writePrivate(path, certificatePem, users.are === "separate" ? users.of[role] : undefined);
          renewed.push(role);
        }
        out.result(
          { renewed, hostNames: config.joinServer.hostNames },
          () =>
            `New certificates for ${renewed.join(", ")}: they are used from the next start on. Keys and pins stay as they are.`,
        );
      }),
    );
}
