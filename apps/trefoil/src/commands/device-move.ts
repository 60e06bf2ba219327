/** `trefoil device move`: which network serves a device. A statement of the realm owner; the device is not touched, and no key is shown to anyone. */
import { networkText } from "@trefoil/custody";
import type { DeviceId } from "@trefoil/wire";
import type { Command } from "commander";
import { AdminError, call } from "../admin/client.ts";
import { type Destination, destinationOf, home, nobody } from "../owner/peers.ts";
import { type Saying, spoken } from "../owner/statements.ts";
import { type Output, UserError } from "./output.ts";
import { ownerSays, realmSettings, saidText } from "./owner-says.ts";
import { parseEui, parseRange } from "./parse.ts";
import { action } from "./run.ts";

type MoveOptions = {
  readonly to: string;
  readonly applicationServer?: string;
  readonly joinEui?: string;
  readonly joinEuis?: string;
};
/** In one statement; the vault takes 500. */
const devicesAtOnce = 400;

export function addMoveCommand(device: Command): void {
  device
    .command("move [DevEUI...]")
    .description("let another network serve devices, from their next join on; signed by the realm owner")
    .requiredOption("--to <peer>", `whose network: a peer's name, ${home} (this realm's own), or ${nobody}`)
    .option(
      "--application-server <peer>",
      `whose application server gets the data, when not the same peer's (or ${home})`,
    )
    .option(
      "--join-euis <FIRST-LAST>",
      "instead of devices: all of this JoinEUI range that have not been moved by themselves",
    )
    .option("--join-eui <JoinEUI>", "of the devices, when they are not registered (derived from a master key)")
    .action(action(move));
}

async function move(out: Output, command: Command, texts: readonly string[]): Promise<void> {
  const { dataDir, record } = realmSettings(command);
  const { to, applicationServer, joinEui, joinEuis } = command.opts<MoveOptions>();
  if ((texts.length === 0) === (joinEuis === undefined))
    throw new UserError("input/devices", "name devices, or a range with --join-euis");
  const destination = destinationOf(spoken(dataDir), record, to, applicationServer);
  const devices = await Promise.all(
    texts.map((text) => deviceOf(dataDir, parseEui("DevEUI", text), joinEui && parseEui("--join-eui", joinEui))),
  );
  const subjects =
    joinEuis === undefined
      ? groupsOf(devices, devicesAtOnce).map((group) => ({ devices: group }))
      : [{ joinEuis: parseRange("--join-euis", joinEuis) }];
  const said = await ownerSays(
    dataDir,
    subjects.map((subject): Saying => ({ kind: "assignment", ...subject, ...destination })),
  );
  out.result({ to, ...destination, devices, ...(joinEuis === undefined ? {} : { joinEuis }), said }, () =>
    [
      `${subjectText(devices, joinEuis)} ${destination ? `now served by ${destinationText(destination)}` : "now served by nobody: joins are refused"}.`,
      ...(destination ? ["The next join goes there; until then the present session lives on where it is."] : []),
      saidText(said),
    ].join("\n"),
  );
}

/** A device with its JoinEUI: as said, or as the join-server has it. */
export async function deviceOf(dataDir: string, devEui: string, joinEui?: string): Promise<DeviceId> {
  if (joinEui !== undefined && joinEui !== "") return { devEui, joinEui };
  try {
    const row = await call<DeviceId>(dataDir, "join-server", "GET", `/devices/${devEui}`);
    return { devEui, joinEui: parseEui("JoinEUI", row.joinEui) };
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    throw new AdminError(error.code, `${error.message} (with --join-eui this command need not ask)`);
  }
}

export function groupsOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

const destinationText = ({ network, asId }: Destination): string =>
  `network ${networkText(network)}, application server ${asId}`;

function subjectText(devices: readonly DeviceId[], joinEuis: string | undefined): string {
  if (joinEuis !== undefined) return `The JoinEUIs ${joinEuis} are`;
  return devices.length === 1 ? `Device ${devices[0]?.devEui} is` : `${devices.length} devices are`;
}
