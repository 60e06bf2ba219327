/** `trefoil device …` */
import { networkText } from "@trefoil/custody";
import type { NetworkId, Role } from "@trefoil/wire";
import type { Command } from "commander";
import { AdminError, call } from "../admin/client.ts";
import { addImportCommand } from "../import/command.ts";
import { rolesOf } from "../supervisor/processes.ts";
import { addExportCommand } from "./device-export.ts";
import { addMoveCommand } from "./device-move.ts";
import { type Output, table, UserError } from "./output.ts";
import { parseCount, parseEui, parseHex, parseId, parseMacVersion } from "./parse.ts";
import { createDevices, keyRoles, type NewDevice, type Realm } from "./provision.ts";
import { readKeys } from "./read-keys.ts";
import { loadSettings, realmOf, type Settings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

type CreateOptions = {
  readonly application?: string;
  readonly derived?: boolean;
  readonly devEui: string;
  readonly joinEui?: string;
  readonly macVersion: string;
  readonly region?: string;
  readonly abp?: boolean;
  readonly devAddr?: string;
  readonly fCntUp?: string;
  readonly fCntDown?: string;
  readonly aFCntDown?: string;
};
type ApplicationRow = {
  readonly deviceId: string;
  readonly applicationId: string;
  readonly devEui: string;
  readonly joinEui?: string;
};

export function addDeviceCommands(program: Command): void {
  const device = program.command("device").description("end-devices");
  device
    .command("create <device-id>")
    .description(
      "register a device; its keys come from a prompt or standard input, and are sealed before they leave this command",
    )
    .option("--application <id>", "the application that gets its data (not with a Join Server alone)")
    .requiredOption("--dev-eui <DevEUI>")
    .option("--join-eui <JoinEUI>", "for devices that join (OTAA)")
    .option("--mac-version <version>", "LoRaWAN version: 1.0.0 to 1.0.4, or 1.1", "1.0.4")
    .option("--region <name>", "regional parameters, when not the network's own")
    .option("--derived", "no key is asked for: the vault derives it from the master key of the JoinEUI")
    .option("--abp", "personalised: no join; session keys instead of root keys")
    .option("--dev-addr <DevAddr>", "with --abp")
    .option("--f-cnt-up <n>", "with --abp: last uplink counter used")
    .option("--f-cnt-down <n>", "with --abp: last downlink counter used (1.1: NFCntDown)")
    .option("--a-f-cnt-down <n>", "with --abp, 1.1: last AFCntDown used")
    .action(
      action(async (out: Output, command, deviceId: string) => {
        const settings = loadSettings(optionsOf(command));
        const realm = realmOf(settings);
        const described = describe(deviceId, command.opts<CreateOptions>(), settings.config.network.region, realm);
        const keys = described.derived
          ? new Map()
          : await readKeys(keyRoles(described.macVersion, described.abp ? "abp" : "otaa"));
        const [result] = await createDevices(realm, [{ ...described, keys, origin: "typed" }]);
        if (!result?.ok)
          throw new UserError(result?.code ?? "device/not-created", result?.message ?? "the device was not created");
        const { applicationId, devEui, macVersion } = described;
        out.result(
          { deviceId, applicationId, devEui, macVersion },
          () =>
            `Device ${deviceId} (${devEui}, LoRaWAN ${macVersion}) is registered; it may ${described.abp ? "send" : "join"} now.`,
        );
      }),
    );
  addImportCommand(device);
  addExportCommand(device);
  addMoveCommand(device);
  device
    .command("list")
    .description("all devices")
    .option("--application <id>")
    .action(
      action(async (out: Output, command) => {
        const { application } = command.opts<{ application?: string }>();
        const query = application === undefined ? "" : `?application=${parseId("--application", application)}`;
        const settings = loadSettings(optionsOf(command));
        const { dataDir } = settings;
        if (realmOf(settings).deployment === "join-server") return listJoining(out, dataDir);
        const rows = await call<ApplicationRow[]>(dataDir, "application-server", "GET", `/devices${query}`);
        out.result(rows, () =>
          table(
            ["device", "application", "DevEUI", "JoinEUI"],
            rows.map((row) => [row.deviceId, row.applicationId, row.devEui, row.joinEui ?? "-"]),
          ),
        );
      }),
    );
  device
    .command("show <DevEUI>")
    .description("what each server knows of a device (no server shows a key)")
    .action(
      action(async (out: Output, command, text: string) => {
        const settings = loadSettings(optionsOf(command));
        const { dataDir } = settings;
        const devEui = parseEui("DevEUI", text);
        const views = Object.fromEntries(
          await Promise.all(
            serversOf(settings).map(
              async (role) => [role, await orUnknown(call(dataDir, role, "GET", `/devices/${devEui}`))] as const,
            ),
          ),
        );
        if (Object.values(views).every((view) => view === null))
          throw new UserError("device/unknown", `no server knows a device ${devEui}`);
        out.result(views, () => JSON.stringify(views, null, 2));
      }),
    );
  device
    .command("delete <DevEUI>")
    .description("remove a device from all servers")
    .action(
      action(async (out: Output, command, text: string) => {
        const settings = loadSettings(optionsOf(command));
        const { dataDir } = settings;
        const devEui = parseEui("DevEUI", text);
        // First the join-server, so that it cannot join again meanwhile.
        const gone: boolean[] = [];
        for (const role of serversOf(settings))
          gone.push((await orUnknown(call(dataDir, role, "DELETE", `/devices/${devEui}`))) !== null);
        if (!gone.includes(true)) throw new UserError("device/unknown", `no server knows a device ${devEui}`);
        out.result({ devEui }, () => `Device ${devEui} is removed.`);
      }),
    );
  device
    .command("reset-nonces <DevEUI>")
    .description("forget a device's used DevNonces: opens it to replayed joins, and is recorded for ever")
    .requiredOption("--reason <text>", "why; kept with the record")
    .action(
      action(async (out: Output, command, text: string) => {
        const devEui = parseEui("DevEUI", text);
        const { reason } = command.opts<{ reason: string }>();
        await call(loadSettings(optionsOf(command)).dataDir, "join-server", "POST", `/devices/${devEui}/reset-nonces`, {
          reason,
        });
        out.result({ devEui, reason }, () => `The DevNonce history of ${devEui} is reset; this is recorded.`);
      }),
    );
}

const deviceServers = ["join-server", "network-server", "application-server"] as const;
/** Those that there are. */
const serversOf = (settings: Settings): readonly Role[] => {
  const there: readonly Role[] = rolesOf[realmOf(settings).deployment ?? "network"];
  return deviceServers.filter((role) => there.includes(role));
};

type JoiningRow = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly macVersion: string;
  readonly network?: NetworkId;
};
const page = 1_000;

/** All devices of a Join Server alone. */
async function listJoining(out: Output, dataDir: string): Promise<void> {
  const rows: JoiningRow[] = [];
  for (let after = ""; ; ) {
    const more = await call<JoiningRow[]>(dataDir, "join-server", "GET", `/devices?after=${after}&limit=${page}`);
    rows.push(...more);
    const last = more.at(-1)?.devEui;
    if (more.length < page || last === undefined) break;
    after = last;
  }
  out.result(rows, () =>
    table(
      ["DevEUI", "JoinEUI", "LoRaWAN", "served by"],
      rows.map(({ devEui, joinEui, macVersion, network }) => [
        devEui,
        joinEui,
        macVersion,
        network ? `network ${networkText(network)}` : "nobody",
      ]),
    ),
  );
}

function describe(
  deviceId: string,
  options: CreateOptions,
  region: string,
  { deployment }: Realm,
): Omit<NewDevice, "keys"> {
  const alone = deployment === "join-server";
  if (options.application === undefined && !alone)
    throw new UserError("input/application", "--application is needed: the application that gets its data");
  if (options.derived && (options.abp || alone)) {
    throw new UserError(
      "input/derived",
      alone
        ? "a Join Server alone knows every device of a master key's range already: there is nothing to register"
        : "--derived is for devices that join, --abp for those that do not",
    );
  }
  const common = {
    deviceId: parseId("device-id", deviceId),
    applicationId: alone ? "" : parseId("--application", options.application as string),
    ...(options.derived ? { derived: true as const } : {}),
    devEui: parseEui("--dev-eui", options.devEui),
    macVersion: parseMacVersion("--mac-version", options.macVersion),
    region: options.region ?? region,
    ...(options.joinEui === undefined ? {} : { joinEui: parseEui("--join-eui", options.joinEui) }),
  };
  if (!options.abp) {
    if (options.joinEui === undefined)
      throw new UserError(
        "input/join-eui",
        "--join-eui is needed for a device that joins (or --abp for one that does not)",
      );
    return common;
  }
  if (options.devAddr === undefined) throw new UserError("input/dev-addr", "--dev-addr is needed with --abp");
  return {
    ...common,
    abp: {
      devAddr: parseHex("--dev-addr", 8, options.devAddr),
      ...(options.fCntUp === undefined ? {} : { fCntUp: parseCount("--f-cnt-up", options.fCntUp) }),
      ...(options.fCntDown === undefined ? {} : { fCntDown: parseCount("--f-cnt-down", options.fCntDown) }),
      ...(options.aFCntDown === undefined ? {} : { aFCntDown: parseCount("--a-f-cnt-down", options.aFCntDown) }),
    },
  };
}

/** `null` where a server does not know the device; any other failure stays one. */
async function orUnknown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof AdminError && error.code === "device/unknown") return null;
    throw error;
  }
}
