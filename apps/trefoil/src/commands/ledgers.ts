/** `trefoil statements list` and `trefoil exposure list`: what stands in the vault, and what it knows of how keys came. */
import { networkText } from "@trefoil/custody";
import type { ExposureRow, Provenance, StatementRow } from "@trefoil/wire";
import type { Command } from "commander";
import colors from "picocolors";
import { call } from "../admin/client.ts";
import { keptStatements } from "../owner/statements.ts";
import { ageText, type Output, table } from "./output.ts";
import { loadSettings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

const page = 1_000;

export function addLedgerCommands(program: Command): void {
  program
    .command("statements")
    .description("what the realm owner has signed")
    .command("list")
    .description("those that stand in the vault, and those that wait to be handed in")
    .action(
      action(async (out: Output, command) => {
        const { dataDir } = loadSettings(optionsOf(command));
        const standing = await call<StatementRow[]>(dataDir, "join-server", "GET", "/statements");
        const waiting = keptStatements(dataDir).filter(({ state }) => state === "waiting").length;
        out.result({ standing, waiting }, () =>
          [
            table(["statement", "about", "says", "age"], standing.map(statementCells)),
            ...(waiting > 0 ? ["", `${waiting} more wait to be handed in.`] : []),
          ].join("\n"),
        );
      }),
    );
  program
    .command("exposure")
    .description("the vault's ledger: how each root key came, and where it was exported to")
    .command("list")
    .option("--exposed", "only keys that somebody may have seen")
    .action(
      action(async (out: Output, command) => {
        const { dataDir } = loadSettings(optionsOf(command));
        const { exposed } = command.opts<{ exposed?: boolean }>();
        const all = await exposureRows(dataDir);
        const rows = exposed ? all.filter(({ provenance }) => isExposed(provenance)) : all;
        out.result(rows, () => (rows.length === 0 ? "The ledger has no such keys." : exposureText(rows)));
      }),
    );
}

function statementCells({ kind, subject, issuedAt, label, network, asId, revoked, shown }: StatementRow): string[] {
  const to = [network && `network ${networkText(network)}`, asId && `AS-ID ${asId}`].filter(Boolean).join(", ");
  const says = [label && `label ${label}`, kind === "kek" ? "" : to, revoked && "revoked", shown && "seen by a person"];
  const nobody = kind === "assignment" && !to ? "nobody" : "";
  return [kind, subject, [...says, nobody].filter(Boolean).join(", "), ageText(issuedAt)];
}

/** One row for each key: a device of 1.1 has two, and the pages are of devices. */
async function exposureRows(dataDir: string): Promise<readonly ExposureRow[]> {
  const rows: ExposureRow[] = [];
  for (let after = ""; ; ) {
    const more = await call<ExposureRow[]>(dataDir, "join-server", "GET", `/exposure?after=${after}&limit=${page}`);
    rows.push(...more);
    const last = more.at(-1)?.devEui;
    if (last === undefined || last === after) return rows;
    after = last;
  }
}

const neverSeen: readonly Provenance[] = ["derived", "provisioner"];
const isExposed = (provenance: Provenance) => !neverSeen.includes(provenance);
const words: { readonly [provenance in Provenance]: string } = {
  derived: "derived in the vault from a master key",
  provisioner: "sealed and signed by a registered provisioner",
  generated: "made by this command line",
  typed: "typed by a person",
  file: "imported from a file in the clear",
  unknown: "sealed by somebody unknown",
};

function exposureText(rows: readonly ExposureRow[]): string {
  const exposed = rows.filter(({ provenance }) => isExposed(provenance)).length;
  return [
    table(
      ["DevEUI", "key", "how it came", "exported to"],
      rows.map(({ devEui, role, provenance, exportedTo }) => [
        devEui,
        role,
        isExposed(provenance) ? colors.yellow(words[provenance]) : colors.green(words[provenance]),
        exportedTo.map((to) => to.slice(0, 16)).join(", ") || "-",
      ]),
    ),
    "",
    exposed === 0
      ? "No key was ever seen outside a vault or a provisioner's HSM."
      : `${exposed} of ${rows.length} keys count as exposed: somebody may have seen them. Nothing clears this.`,
  ].join("\n");
}
