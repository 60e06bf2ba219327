/** `trefoil gateway …` */

import type { Gateway } from "@trefoil/wire";
import type { Command } from "commander";
import { call } from "../admin/client.ts";
import { type Output, table } from "./output.ts";
import { parseEui, parseId } from "./parse.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

type Row = Gateway & { readonly connected: boolean; readonly lastSeen?: number };

export function addGatewayCommands(program: Command): void {
  const gateway = program.command("gateway").description("gateways that may speak to this network");
  gateway
    .command("create <gateway-id>")
    .description("let a gateway in")
    .requiredOption("--eui <EUI>", "its EUI, 16 hex digits")
    .option("--antenna-gain <dBi>", "gain of its antenna, subtracted from the transmit power")
    .option("--latitude <degrees>")
    .option("--longitude <degrees>")
    .action(
      action(async (out: Output, command, gatewayId: string) => {
        const options = command.opts<{ eui: string; antennaGain?: string; latitude?: string; longitude?: string }>();
        const { latitude, longitude, antennaGain } = options;
        const row: Gateway = {
          gatewayId: parseId("gateway-id", gatewayId),
          eui: parseEui("--eui", options.eui),
          ...(antennaGain === undefined ? {} : { antennaGainDbi: Number(antennaGain) }),
          ...(latitude === undefined || longitude === undefined
            ? {}
            : { location: { latitude: Number(latitude), longitude: Number(longitude) } }),
        };
        await call(loadSettings(optionsOf(command)).dataDir, "gateway-server", "POST", "/gateways", row);
        out.result(row, () => `Gateway ${row.gatewayId} (${row.eui}) may connect now.`);
      }),
    );
  gateway
    .command("list")
    .description("all gateways")
    .action(
      action(async (out: Output, command) => {
        const rows = await call<Row[]>(loadSettings(optionsOf(command)).dataDir, "gateway-server", "GET", "/gateways");
        out.result(rows, () =>
          table(
            ["gateway", "EUI", "connected", "last seen"],
            rows.map((row) => [
              row.gatewayId,
              row.eui,
              row.connected ? "yes" : "no",
              row.lastSeen ? new Date(row.lastSeen).toISOString() : "never",
            ]),
          ),
        );
      }),
    );
  gateway
    .command("delete <EUI>")
    .description("shut a gateway out")
    .action(
      action(async (out: Output, command, eui: string) => {
        await call(
          loadSettings(optionsOf(command)).dataDir,
          "gateway-server",
          "DELETE",
          `/gateways/${parseEui("EUI", eui)}`,
        );
        out.result({ eui }, () => `Gateway ${eui} is shut out.`);
      }),
    );
}
