/** The first screen: where everything listens, what is not secure yet, and the next step. Pure text. */

import type { Config } from "@trefoil/service";
import colors from "picocolors";
import type { Running } from "./supervisor.ts";
import type { Users } from "./users.ts";

/** One line per thing that a security engineer would want to be told. */
export function warnings(config: Config, users: Users): readonly string[] {
  const found = ["Gateways on Semtech UDP are not authenticated: anyone who reaches the port can pose as one."];
  if (config.vault.engine === "software")
    found.push(
      "The vault is software: its keys are encrypted on disk, but not held by a hardware token (docs/hsm.md).",
    );
  if (users.are === "one")
    found.push(`All servers run as one user, so only Node's permissions keep them apart: ${users.because}.`);
  if (!isLoopback(config.applicationServer.mqtt.host)) found.push("MQTT listens beyond this machine without TLS.");
  if (config.network.netId === "000000" || config.network.netId === "000001") {
    found.push(
      `NetID ${config.network.netId} is for experiments: devices of other private networks share its addresses.`,
    );
  }
  return found;
}

const isLoopback = (host: string) => host === "localhost" || host === "::1" || host.startsWith("127.");

/** What `npm start` prints once everything runs. */
export function firstScreen(config: Config, users: Users, running: Running, dataDir: string): string {
  const at = (role: keyof Running, listener: string) => {
    const address = running[role]?.listeners[listener];
    return address ? `${address.host}:${address.port}` : "-";
  };
  const rows: readonly (readonly [string, string])[] = [
    ["Gateways, Semtech UDP", at("gateway-server", "udp")],
    ["Applications, MQTT", `mqtt://${at("application-server", "mqtt")}`],
    ["Join server, Backend Interfaces", `https://${at("join-server", "interop")} (mutual TLS)`],
    [
      "Health and metrics",
      (["gateway-server", "network-server", "application-server", "join-server"] as const)
        .map((role) => at(role, "http"))
        .join("  "),
    ],
    ["Region, NetID", `${config.network.region}, ${config.network.netId}`],
    ["Data", dataDir],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    "",
    `  ${colors.bold(colors.green("☘ Trefoil is running."))} ${Object.keys(running).length} processes${users.are === "separate" ? ", each with a user of its own" : ""}.`,
    "",
    ...rows.map(([name, value]) => `  ${colors.dim(name.padEnd(width))}  ${value}`),
    "",
    `  ${colors.yellow("Not secure yet")}`,
    ...warnings(config, users).map((line) => `  ${colors.yellow("•")} ${line}`),
    "",
    `  ${colors.bold("Next")}: in another terminal`,
    "    ./trefoil gateway create my-gateway --eui <gateway EUI>",
    "    ./trefoil application create my-app",
    "    ./trefoil device create my-sensor --application my-app --dev-eui <DevEUI> --join-eui <JoinEUI>",
    "",
    colors.dim("  Ctrl-C stops everything; the next start goes on from the data folder."),
    "",
  ].join("\n");
}
