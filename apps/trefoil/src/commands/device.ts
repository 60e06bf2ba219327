/** `trefoil device …` */
import type { Command } from "commander";
import { AdminError, call } from "../admin/client.ts";
import { addImportCommand } from "../import/command.ts";
import { type Output, table, UserError } from "./output.ts";
import { parseCount, parseEui, parseHex, parseId, parseMacVersion } from "./parse.ts";
import { createDevices, keyRoles, type NewDevice } from "./provision.ts";
import { readKeys } from "./read-keys.ts";
import { loadSettings, realmOf } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

type CreateOptions = {
  readonly application: string;
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
    .requiredOption("--application <id>", "the application that gets its data")
    .requiredOption("--dev-eui <DevEUI>")
    .option("--join-eui <JoinEUI>", "for devices that join (OTAA)")
    .option("--mac-version <version>", "LoRaWAN version: 1.0.0 to 1.0.4, or 1.1", "1.0.4")
    .option("--region <name>", "regional parameters, when not the network's own")
    .option("--abp", "personalised: no join; session keys instead of root keys")
    .option("--dev-addr <DevAddr>", "with --abp")
    .option("--f-cnt-up <n>", "with --abp: last uplink counter used")
    .option("--f-cnt-down <n>", "with --abp: last downlink counter used (1.1: NFCntDown)")
    .option("--a-f-cnt-down <n>", "with --abp, 1.1: last AFCntDown used")
    .action(
      action(async (out: Output, command, deviceId: string) => {
        const settings = loadSettings(optionsOf(command));
        const described = describe(deviceId, command.opts<CreateOptions>(), settings.config.network.region);
        const keys = await readKeys(keyRoles(described.macVersion, described.abp ? "abp" : "otaa"));
        const [result] = await createDevices(realmOf(settings), [{ ...described, keys }]);
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
  device
    .command("list")
    .description("all devices")
    .option("--application <id>")
    .action(
      action(async (out: Output, command) => {
        const { application } = command.opts<{ application?: string }>();
        const query = application === undefined ? "" : `?application=${parseId("--application", application)}`;
        const rows = await call<ApplicationRow[]>(
          loadSettings(optionsOf(command)).dataDir,
          "application-server",
          "GET",
          `/devices${query}`,
        );
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
        const { dataDir } = loadSettings(optionsOf(command));
        const devEui = parseEui("DevEUI", text);
        const views = Object.fromEntries(
          await Promise.all(
            deviceServers.map(
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
        const { dataDir } = loadSettings(optionsOf(command));
        const devEui = parseEui("DevEUI", text);
        // First the join-server, so that it cannot join again meanwhile.
        const gone: boolean[] = [];
        for (const role of deviceServers)
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

function describe(deviceId: string, options: CreateOptions, region: string): Omit<NewDevice, "keys"> {
  const common = {
    deviceId: parseId("device-id", deviceId),
    applicationId: parseId("--application", options.application),
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
