/** `trefoil application …` */
import type { Command } from "commander";
import { call } from "../admin/client.ts";
import { type Output, table } from "./output.ts";
import { parseId } from "./parse.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

type Created = {
  readonly applicationId: string;
  readonly mqtt: { readonly username: string; readonly password: string };
};

export function addApplicationCommands(program: Command): void {
  const application = program.command("application").description("applications: who gets the data of which devices");
  application
    .command("create <application-id>")
    .description("make an application and its MQTT credential (shown once)")
    .option("--name <text>")
    .action(
      action(async (out: Output, command, id: string) => {
        const { name } = command.opts<{ name?: string }>();
        const body = { applicationId: parseId("application-id", id), ...(name === undefined ? {} : { name }) };
        const created = await call<Created>(
          loadSettings(optionsOf(command)).dataDir,
          "application-server",
          "POST",
          "/applications",
          body,
        );
        out.result(created, () =>
          [
            `Application ${created.applicationId} is made. Its MQTT credential is shown only now:`,
            "",
            `  username  ${created.mqtt.username}`,
            `  password  ${created.mqtt.password}`,
            "",
            `Subscribe to v3/${created.applicationId}/devices/+/up.`,
          ].join("\n"),
        );
      }),
    );
  application
    .command("list")
    .description("all applications")
    .action(
      action(async (out: Output, command) => {
        const rows = await call<{ applicationId: string; name?: string }[]>(
          loadSettings(optionsOf(command)).dataDir,
          "application-server",
          "GET",
          "/applications",
        );
        out.result(rows, () =>
          table(
            ["application", "name"],
            rows.map((row) => [row.applicationId, row.name ?? ""]),
          ),
        );
      }),
    );
  application
    .command("delete <application-id>")
    .description("remove an application")
    .action(
      action(async (out: Output, command, id: string) => {
        await call(
          loadSettings(optionsOf(command)).dataDir,
          "application-server",
          "DELETE",
          `/applications/${parseId("application-id", id)}`,
        );
        out.result({ applicationId: id }, () => `Application ${id} is removed.`);
      }),
    );
}
