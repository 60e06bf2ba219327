/** `trefoil kek …`: the keys under which session keys are wrapped for a network or an application server. Each is a statement of the realm owner. */
import { type Key, makeKey, sealKeys, toHex } from "@trefoil/custody";
import type { Role, SealedKeys, StatementRow } from "@trefoil/wire";
import type { Command } from "commander";
import { call } from "../admin/client.ts";
import { pinnedVault, type RealmRecord, vaultFingerprint } from "../owner/record.ts";
import type { Saying } from "../owner/statements.ts";
import { ageText, facts, type Output, table, UserError } from "./output.ts";
import { ownerSays, realmSettings, saidText } from "./owner-says.ts";
import { parseAsId, parseDuration, parseNetwork } from "./parse.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

type KekFor = Pick<Extract<Saying, { kind: "kek" }>, "network" | "asId">;
type MakeOptions = {
  readonly netId?: string;
  readonly nsId?: string;
  readonly asId?: string;
  readonly label: string;
  readonly bits: string;
  readonly overlap?: string;
};
const kekBits = ["128", "192", "256"];

export function addKekCommands(program: Command): void {
  const kek = program.command("kek").description("keys under which session keys are wrapped for their receivers");
  kek
    .command("rotate <server>")
    .description(
      "network-server or application-server: it makes a new KEK, sealed to the vault; signed by the realm owner",
    )
    .option("--overlap <time>", "how long the former one is still used, such as 7d (at once)")
    .action(action(rotateKek));
  kek
    .command("make")
    .description(
      "for a network that cannot make its own (The Things Stack, ChirpStack): shown once, here; signed by the realm owner",
    )
    .option("--net-id <NetID>", "for the network server of this network")
    .option("--ns-id <NSID>", "with --net-id")
    .option("--as-id <AS-ID>", "for this application server")
    .requiredOption("--label <label>", "the KEK label that its receiver knows it by; no other KEK may have it")
    .option("--bits <n>", "128, 192 or 256: what the receiver takes (ChirpStack: 128)", "128")
    .option("--overlap <time>", "how long a former one is still used, such as 7d (at once)")
    .action(action(makeShownKek));
  kek
    .command("list")
    .description("labels and ages")
    .action(
      action(async (out: Output, command) => {
        const { dataDir } = loadSettings(optionsOf(command));
        const rows = await call<StatementRow[]>(dataDir, "join-server", "GET", "/statements");
        const keks = rows.filter((row) => row.kind === "kek");
        out.result(keks, () => (keks.length === 0 ? "There are no KEKs yet." : kekTable(keks)));
      }),
    );
}

async function rotateKek(out: Output, command: Command, server: string): Promise<void> {
  const { dataDir, record } = realmSettings(command);
  const { overlap } = command.opts<{ overlap?: string }>();
  const until = usedFrom(overlap);
  const { role, is } = receiverOf(record, server);
  const { label, kek } = await call<{ label: string; kek: SealedKeys }>(dataDir, role, "POST", "/kek", {});
  if (kek.to !== vaultFingerprint(record))
    throw new UserError(
      "seal/not-the-receiver",
      `the ${role} sealed its KEK to another vault than the pinned one: nothing was signed`,
    );
  const said = await ownerSays(dataDir, [{ kind: "kek", label, ...is, kek, ...until }]);
  out.result({ server: role, label, ...until, said }, () =>
    [
      `The ${role} has a new KEK, ${label}, which nobody has seen. ${whenText(until)}`,
      "It still opens what was wrapped under the former one.",
      saidText(said),
    ].join("\n"),
  );
}

async function makeShownKek(out: Output, command: Command): Promise<void> {
  const { dataDir, record } = realmSettings(command);
  const { netId, nsId, asId, label, bits, overlap } = command.opts<MakeOptions>();
  if ((netId === undefined) === (asId === undefined))
    throw new UserError("input/kek", "say for whom: --net-id or --as-id");
  if (!/^[\x21-\x7e]{1,128}$/.test(label))
    throw new UserError("input/label", "--label: expected 1 to 128 visible ASCII characters");
  if (!kekBits.includes(bits))
    throw new UserError("input/bits", `--bits: expected ${kekBits.join(", ")}, found "${bits}"`);
  const is: KekFor =
    netId === undefined ? { asId: parseAsId("--as-id", asId as string) } : { network: parseNetwork(netId, nsId) };
  const until = usedFrom(overlap);
  using key = makeKey("KEK", Number(bits) / 8);
  const kek = sealKeys(pinnedVault(record), [{ key }]);
  // Shown only once the vault, or its waiting folder, has it: a KEK that nobody uses would only confuse.
  const said = await ownerSays(dataDir, [{ kind: "kek", label, ...is, kek, ...until, shown: true }]);
  out.result({ label, kek: hexOf(key), ...is, ...until, said }, () =>
    [
      "Enter this at the receiver now: it is shown only here, and kept nowhere.",
      "",
      facts([
        ["KEK label", label],
        [`KEK (AES-${bits})`, hexOf(key)],
      ]),
      "",
      `${whenText(until)} That a person has seen it stays in the exposure ledger.`,
      saidText(said),
    ].join("\n"),
  );
}

/** The one KEK that leaves as text: made for a receiver that cannot seal, shown to the realm owner once. */
const hexOf = (key: Key<"KEK">): string => key.expose(toHex);

const usedFrom = (overlap: string | undefined) =>
  overlap === undefined ? {} : { usedFrom: Date.now() + parseDuration("--overlap", overlap) };
const whenText = ({ usedFrom: from }: { readonly usedFrom?: number }): string =>
  from === undefined
    ? "It is used from now on."
    : `It is used from ${new Date(from).toISOString()}; until then the former one.`;

function receiverOf({ network, asId }: RealmRecord, server: string): { readonly role: Role; readonly is: KekFor } {
  if (server === "network-server" && network) return { role: server, is: { network } };
  if (server === "application-server" && asId !== undefined) return { role: server, is: { asId } };
  throw new UserError(
    "input/server",
    network
      ? `expected network-server or application-server, found "${server}"`
      : "a Join Server alone has no servers that make KEKs: use trefoil kek make",
  );
}

const kekTable = (rows: readonly StatementRow[]): string =>
  table(
    ["KEK label", "for", "age", "used", "seen by a person"],
    rows.map(({ label, subject, issuedAt, usedFrom: from, shown }) => [
      label ?? "",
      subject,
      ageText(issuedAt),
      from !== undefined && from > Date.now() ? `from ${new Date(from).toISOString()}` : "now",
      shown ? "yes" : "no",
    ]),
  );
