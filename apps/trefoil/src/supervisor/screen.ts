/** The first screen: where everything listens, what is not secure yet, and the next step. Pure text. */

import { basename } from "node:path";
import type { Config } from "@trefoil/service";
import type { Role } from "@trefoil/wire";
import colors from "picocolors";
import type { Running } from "./supervisor.ts";
import type { Users } from "./users.ts";

export type Screen = {
  readonly config: Config;
  readonly users: Users;
  readonly running: Running;
  readonly dataDir: string;
};
type Row = readonly [name: string, value: string];

/** What `npm start` prints once everything runs. */
export function firstScreen({ config, users, running, dataDir }: Screen): string {
  const at = addressesIn(running);
  return drawScreen({
    title: "Trefoil is running.",
    running,
    users,
    rows: [
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
      ["Vault", vaultText(config)],
      ["Data", dataDir],
    ],
    warnings: warnings(config, users),
    next: [
      "./trefoil gateway create my-gateway --eui <gateway EUI>",
      "./trefoil application create my-app",
      "./trefoil device create my-sensor --application my-app --dev-eui <DevEUI> --join-eui <JoinEUI>",
    ],
  });
}

/** What `trefoil join-server` prints. */
export function joinServerScreen({ config, users, running, dataDir }: Screen): string {
  const at = addressesIn(running);
  return drawScreen({
    title: "A Join Server is running, alone.",
    running,
    users,
    rows: [
      ["Backend Interfaces", `https://${at("join-server", "interop")} (mutual TLS)`],
      ["Health and metrics", at("join-server", "http")],
      ["Vault", vaultText(config)],
      ["CA to give to its peers", `${dataDir}/owner/ca.crt`],
      ["Data", dataDir],
    ],
    warnings: [
      ...vaultWarnings(config, users),
      ...(config.joinServer.hostNames.length === 0
        ? [
            "Its certificate names localhost only: peers elsewhere need joinServer.hostNames (then trefoil certificate renew).",
          ]
        : []),
    ],
    next: [
      "./trefoil peer add my-network --net-id <NetID> --as-id <AS-ID> --certificate its.pem",
      "./trefoil kek make --net-id <NetID> --label <label>      (and --as-id)",
      "./trefoil device move --join-euis <FIRST-LAST> --to my-network",
      "./trefoil device create my-sensor --dev-eui <DevEUI> --join-eui <JoinEUI>",
    ],
  });
}

/** One line per thing that a security engineer would want to be told. */
export function warnings(config: Config, users: Users): readonly string[] {
  const found = [
    "Gateways on Semtech UDP are not authenticated: anyone who reaches the port can pose as one.",
    ...vaultWarnings(config, users),
  ];
  if (!isLoopback(config.applicationServer.mqtt.host)) found.push("MQTT listens beyond this machine without TLS.");
  if (config.network.netId === "000000" || config.network.netId === "000001") {
    found.push(
      `NetID ${config.network.netId} is for experiments: devices of other private networks share its addresses.`,
    );
  }
  return found;
}

const vaultWarnings = (config: Config, users: Users): readonly string[] => [
  ...(config.vault.engine === "software"
    ? ["The vault is software: its keys are encrypted on disk, but not held by a hardware token (docs/hsm.md)."]
    : []),
  ...(users.are === "one"
    ? [`All servers run as one user, so only Node's permissions keep them apart: ${users.because}.`]
    : []),
];

function vaultText({ vault }: Config): string {
  const many = vault.processes > 1 ? `, ${vault.processes} processes` : "";
  if (vault.engine === "software") return `software${many}`;
  return `token ${vault.pkcs11.tokenLabel} (${basename(vault.pkcs11.module ?? "")})${many}`;
}

const isLoopback = (host: string) => host === "localhost" || host === "::1" || host.startsWith("127.");

const addressesIn = (running: Running) => (role: Role, listener: string) => {
  const address = running[role]?.listeners[listener];
  return address ? `${address.host}:${address.port}` : "-";
};

function drawScreen(screen: {
  readonly title: string;
  readonly running: Running;
  readonly users: Users;
  readonly rows: readonly Row[];
  readonly warnings: readonly string[];
  readonly next: readonly string[];
}): string {
  const { title, running, users, rows } = screen;
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    "",
    `  ${colors.bold(colors.green(`☘ ${title}`))} ${Object.keys(running).length} processes${users.are === "separate" ? ", each server with a user of its own" : ""}.`,
    "",
    ...rows.map(([name, value]) => `  ${colors.dim(name.padEnd(width))}  ${value}`),
    "",
    ...(screen.warnings.length > 0
      ? [
          `  ${colors.yellow("Not secure yet")}`,
          ...screen.warnings.map((line) => `  ${colors.yellow("•")} ${line}`),
          "",
        ]
      : []),
    `  ${colors.bold("Next")}: in another terminal`,
    ...screen.next.map((line) => `    ${line}`),
    "",
    colors.dim("  Ctrl-C stops everything; the next start goes on from the data folder."),
    "",
  ].join("\n");
}
