/**
 * `trefoil device export`: root keys leave for another vault, sealed to it alone. The realm owner signs which devices and for whom; there is
 * no export in plain text. What it writes, `trefoil device import` of the other realm reads.
 */
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { confirm, isCancel } from "@clack/prompts";
import { parseReceiver, type Receiver } from "@trefoil/custody";
import type { DeviceId, JoinDevice, MacVersion, SealedKeys } from "@trefoil/wire";
import type { Command } from "commander";
import { AdminError, call } from "../admin/client.ts";
import { vaultFingerprint } from "../owner/record.ts";
import type { Saying } from "../owner/statements.ts";
import { writePrivate } from "../supervisor/data-folder.ts";
import { deviceOf, groupsOf } from "./device-move.ts";
import { facts, fingerprintText, type Output, UserError } from "./output.ts";
import { ownerSays, realmSettings } from "./owner-says.ts";
import { parseEui, parseFingerprint } from "./parse.ts";
import { action } from "./run.ts";

type ExportOptions = {
  readonly to: string;
  readonly fingerprint?: string;
  readonly out: string;
  readonly joinEui?: string;
};
type Exported = DeviceId & { readonly sealed: SealedKeys };
type History = Pick<JoinDevice, "usedDevNonces" | "lastJoinNonce" | "rjCount0" | "rjCount1">;
/** In one statement and one call; the vault takes 500. */
const devicesAtOnce = 200;
/** How long the vault may seal them to that receiver: the export follows at once. */
const allowedForMs = 3_600_000;

export function addExportCommand(device: Command): void {
  device
    .command("export <DevEUI...>")
    .description("seal root keys to another vault, with their nonces; signed by the realm owner")
    .requiredOption("--to <file>", "the receiving vault's public key (trefoil vault key, there)")
    .requiredOption("--out <file>", "where the sealed keys go")
    .option("--fingerprint <hex>", "of the receiving vault, as its owner tells you: else you are asked")
    .option("--join-eui <JoinEUI>", "of the devices, when they are not registered (derived from a master key)")
    .action(action(exportDevices));
}

async function exportDevices(out: Output, command: Command, texts: readonly string[]): Promise<void> {
  const { dataDir, record } = realmSettings(command);
  const options = command.opts<ExportOptions>();
  const { publicKey, receiver } = readReceiver(options.to);
  if (receiver.fingerprint === vaultFingerprint(record))
    throw new UserError(
      "export/own-vault",
      `${options.to} is this realm's own vault: there is nothing to export to it`,
    );
  await compare(receiver, options.fingerprint, out);
  const joinEui = options.joinEui === undefined ? undefined : parseEui("--join-eui", options.joinEui);
  const devices = await Promise.all(texts.map((text) => deviceOf(dataDir, parseEui("DevEUI", text), joinEui)));
  const groups = groupsOf(devices, devicesAtOnce);
  const said = await ownerSays(
    dataDir,
    groups.map(
      (group): Saying => ({ kind: "export", devices: group, to: publicKey, until: Date.now() + allowedForMs }),
    ),
  );
  if (said === "waiting")
    throw new UserError(
      "admin/not-running",
      "keys are exported by the running vault: start the network, then repeat this command",
    );
  const rows: object[] = [];
  for (const group of groups) {
    const answer = await call<{ devices: readonly Exported[] }>(dataDir, "join-server", "POST", "/exports", {
      devices: group,
      to: receiver.fingerprint,
    });
    for (const exported of answer.devices) rows.push(await withHistory(dataDir, exported));
  }
  const file = { format: "trefoil-export-1", from: vaultFingerprint(record), to: receiver.fingerprint, devices: rows };
  writePrivate(options.out, `${JSON.stringify(file, null, 1)}\n`);
  out.result({ devices: rows.length, to: receiver.fingerprint, file: options.out }, () =>
    [
      `The root keys of ${rows.length === 1 ? "one device" : `${rows.length} devices`} are in ${options.out}, sealed: only the receiving vault can open them.`,
      "",
      facts([["receiving vault", fingerprintText(receiver.fingerprint)]]),
      "",
      "Its owner runs: trefoil device import FILE. Used nonces went along; the exposure ledger of this vault keeps that the keys left.",
      "From then on let one of the two Join Servers answer only: move the devices here to nobody (trefoil device move … --to nobody).",
    ].join("\n"),
  );
}

/** Used nonces and version of a registered device: without them the other Join Server would have to guess. */
async function withHistory(dataDir: string, exported: Exported): Promise<object> {
  try {
    const { devEui, joinEui, sealed } = exported;
    const { macVersion } = await call<{ macVersion: MacVersion }>(dataDir, "join-server", "GET", `/devices/${devEui}`);
    const history = await call<History>(dataDir, "join-server", "GET", `/devices/${devEui}/history`);
    return { devEui, joinEui, macVersion, ...history, sealed };
  } catch (error) {
    if (error instanceof AdminError && error.code === "device/unknown") return exported;
    throw error;
  }
}

/** Somebody who could change the file could have the keys sealed to himself: the fingerprint comes another way. */
async function compare({ fingerprint }: Receiver, told: string | undefined, out: Output): Promise<void> {
  if (told !== undefined) {
    if (parseFingerprint("--fingerprint", told) === fingerprint) return;
    throw new UserError(
      "export/other-fingerprint",
      `the receiving key is another one: its fingerprint is ${fingerprintText(fingerprint)}. Nothing was exported`,
    );
  }
  if (out.json || !process.stdin.isTTY)
    throw new UserError(
      "export/not-compared",
      `compare the receiving vault's fingerprint, ${fingerprint}, and give it with --fingerprint`,
    );
  out.note(`Fingerprint of the receiving vault: ${fingerprintText(fingerprint)}`);
  const same = await confirm({
    message: "Is this what its owner told you (by telephone, on paper)?",
    initialValue: false,
  });
  if (isCancel(same) || !same) throw new UserError("export/not-compared", "nothing was exported");
}

/** Base64 of the SubjectPublicKeyInfo, as `trefoil vault key` writes it, or PEM. */
function readReceiver(file: string): { readonly publicKey: string; readonly receiver: Receiver } {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch {
    throw new UserError("input/file", `${file} cannot be read`);
  }
  const publicKey = text.startsWith("-----") ? derOfPem(text) : text;
  const receiver = parseReceiver(publicKey);
  if (!publicKey || !receiver)
    throw new UserError("input/public-key", `${file} holds no public key of a vault (RSA, 3072 bits or more)`);
  return { publicKey, receiver };
}

function derOfPem(text: string): string | undefined {
  try {
    return createPublicKey(text).export({ type: "spki", format: "der" }).toString("base64");
  } catch {
    return undefined;
  }
}
