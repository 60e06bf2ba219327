/** `trefoil master-key …`: a maker's master key, from which the vault derives the root keys of a whole JoinEUI range (LORA-KDF-1). */
import { readFileSync } from "node:fs";
import { type Key, noEui, parseSealedKeys, sealKeys } from "@trefoil/custody";
import type { SealedKeys, StatementRow } from "@trefoil/wire";
import type { Command } from "commander";
import { call } from "../admin/client.ts";
import { pinnedVault, type RealmRecord, vaultFingerprint } from "../owner/record.ts";
import { ageText, fingerprintText, type Output, table, UserError } from "./output.ts";
import { ownerSays, realmSettings, saidText } from "./owner-says.ts";
import { parseCount, parseMacVersion, parseRange } from "./parse.ts";
import { readKeys } from "./read-keys.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

type RegisterOptions = {
  readonly joinEuis: string;
  readonly macVersion: string;
  readonly epoch: string;
  readonly extra: string;
  readonly from?: string;
};

export function addMasterKeyCommands(program: Command): void {
  const masterKey = program
    .command("master-key")
    .description("makers' master keys: no device of their ranges needs a key of its own here");
  masterKey
    .command("register")
    .description(
      "for a JoinEUI range; the key comes sealed in a file, from a hidden prompt or from standard input; signed by the realm owner",
    )
    .requiredOption("--join-euis <FIRST-LAST>")
    .requiredOption("--epoch <n>", "the maker's number of this master key")
    .option("--mac-version <version>", "of the devices", "1.0.4")
    .option("--extra <hex>", "out-of-band information that goes into the derivation", "")
    .option("--from <file>", "a sealed key (docs/sealed-key.md), sealed to this vault")
    .action(action(register));
  masterKey
    .command("list")
    .description("ranges and ages")
    .action(
      action(async (out: Output, command) => {
        const { dataDir } = loadSettings(optionsOf(command));
        const rows = await call<StatementRow[]>(dataDir, "join-server", "GET", "/statements");
        const keys = rows.filter((row) => row.kind === "master-key");
        out.result(keys, () =>
          keys.length === 0
            ? "There are no master keys."
            : table(
                ["master key of", "age"],
                keys.map((row) => [row.subject, ageText(row.issuedAt)]),
              ),
        );
      }),
    );
}

async function register(out: Output, command: Command): Promise<void> {
  const { dataDir, record } = realmSettings(command);
  const { joinEuis, macVersion, epoch, extra, from } = command.opts<RegisterOptions>();
  if (!/^([0-9a-fA-F]{2}){0,256}$/.test(extra))
    throw new UserError("input/hex", "--extra: expected pairs of hex digits");
  const range = parseRange("--join-euis", joinEuis);
  const rest = {
    kind: "master-key",
    joinEuis: range,
    kdf: "LORA-KDF-1",
    epoch: parseCount("--epoch", epoch),
    extra: extra.toLowerCase(),
    macVersion: parseMacVersion("--mac-version", macVersion),
  } as const;
  const key =
    from === undefined ? { key: await sealTyped(record), origin: "typed" as const } : { key: readSealed(from, record) };
  const said = await ownerSays(dataDir, [{ ...rest, ...key }]);
  out.result({ ...rest, said }, () =>
    [
      `The root keys of every device from JoinEUI ${range.first} to ${range.last} are derived in the vault now (LORA-KDF-1, epoch ${rest.epoch}, LoRaWAN ${rest.macVersion}).`,
      "A device with a key of its own keeps it. Register devices of the range with trefoil device create --derived: no key is asked for.",
      saidText(said),
    ].join("\n"),
  );
}

async function sealTyped(record: RealmRecord): Promise<SealedKeys> {
  const keys = await readKeys(["MasterKey"]);
  using key = keys.get("MasterKey") as Key;
  return sealKeys(pinnedVault(record), [{ key }]);
}

function readSealed(file: string, record: RealmRecord): SealedKeys {
  const sealed = parseSealedKeys(readJson(file));
  const [key] = sealed?.keys ?? [];
  if (sealed?.keys.length !== 1 || key?.role !== "MasterKey" || key.joinEui !== noEui || key.devEui !== noEui)
    throw new UserError("sealed/malformed", `${file} holds no sealed MasterKey (docs/sealed-key.md)`);
  if (sealed.to !== vaultFingerprint(record)) {
    throw new UserError(
      "sealed/other-vault",
      `${file} is sealed to another vault (${fingerprintText(sealed.to)}): give its maker this one's key (trefoil vault key)`,
    );
  }
  return sealed;
}

export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new UserError("input/file", `${file} cannot be read as JSON`);
  }
}
