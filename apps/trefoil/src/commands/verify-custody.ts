/** `trefoil verify-custody` (npm run verify:custody): proves on a running network who holds which key. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { roles } from "@trefoil/wire";
import type { Command } from "commander";
import colors from "picocolors";
import { judge, type Verdict } from "../custody/judge.ts";
import { needlesOf, type Secret } from "../custody/needles.ts";
import { type Played, playTraffic, type RunningNetwork, startApart } from "../custody/play.ts";
import { type Holder, kinds } from "../custody/policy.ts";
import { type Find, type Scan, type Suspect, scan, scanLines } from "../custody/scan.ts";
import { isolatedConfig, throwAwayFolder } from "../demo/setting.ts";
import { folderOf } from "../supervisor/data-folder.ts";
import { processes } from "../supervisor/processes.ts";
import { type Output, table, UserError } from "./output.ts";
import { action } from "./run.ts";

export function addVerifyCustodyCommand(program: Command): void {
  program
    .command("verify-custody")
    .description(
      "play joins and traffic with known keys, search every process for them, print who held what (npm run verify:custody)",
    )
    .option("--plant-leak <server>", "write a root key into that server's folder on the way, to see the proof fail")
    .action(
      action(async (out: Output, command) => {
        const { plantLeak } = command.opts<{ plantLeak?: string }>();
        const { dataDir, remove } = throwAwayFolder();
        const config = isolatedConfig();
        out.note("Starting a network with fresh keys …");
        try {
          const network = await startApart(config, dataDir);
          const finds: Find[] = [];
          let octets = 0;
          let played: Played;
          const look = (secrets: readonly Secret[]) => {
            const seen = lookEverywhere(network, dataDir, secrets);
            finds.push(...seen.finds);
            octets += seen.octets;
          };
          try {
            out.note("Playing joins and traffic both ways; searching while joins are in progress …");
            played = await playTraffic(network, config, dataDir, look);
            if (plantLeak !== undefined) plant(dataDir, plantLeak, played.secrets);
            out.note("Searching memory, files and log lines …");
            look(played.secrets);
          } finally {
            await network.stop();
          }
          const verdict = judge(finds);
          const { joins, uplinks, downlinks, secrets } = played;
          const proof = { joins, uplinks, downlinks, secrets: secrets.length, octetsSearched: octets, ...verdict };
          out.result(proof, () => proofText(proof));
          if (verdict.violations.length > 0 || verdict.blind.length > 0) process.exitCode = 1;
        } finally {
          remove();
        }
      }),
    );
}

/** Shows that the proof can fail: what a careless debug line or crash dump would leave behind. */
function plant(dataDir: string, server: string, secrets: readonly Secret[]): void {
  const role = roles.find((known) => known === server);
  if (!role)
    throw new UserError("input/server", `--plant-leak: expected one of ${roles.join(", ")}, found "${server}"`);
  const key = secrets.find(({ kind }) => kind === "root key");
  if (key) writeFileSync(join(folderOf(dataDir, role), "planted"), `AppKey=${Buffer.from(key.octets).toString("hex")}`);
}

function lookEverywhere(network: RunningNetwork, dataDir: string, secrets: readonly Secret[]): Scan {
  const servers = processes.map(({ role }): Suspect => {
    const pid = network.running[role]?.pid;
    return { holder: role, folder: folderOf(dataDir, role), ...(pid === undefined ? {} : { pid }) };
  });
  const needles = needlesOf(secrets);
  const inProcesses = scan([{ holder: "supervisor", pid: network.supervisor }, ...servers], needles);
  return { finds: [...inProcesses.finds, ...scanLines(network.lines, needles)], octets: inProcesses.octets };
}

type Proof = Verdict &
  Pick<Played, "joins" | "uplinks" | "downlinks"> & { readonly secrets: number; readonly octetsSearched: number };

function proofText({
  table: who,
  violations,
  blind,
  joins,
  uplinks,
  downlinks,
  secrets,
  octetsSearched,
}: Proof): string {
  const colour = {
    held: colors.green,
    "held, forbidden": colors.red,
    allowed: colors.dim,
    "no copy found": colors.dim,
  } as const;
  const rows = (Object.keys(who) as Holder[]).map((holder) => [
    holder,
    ...kinds.map((kind) => colour[who[holder][kind]](who[holder][kind])),
  ]);
  const found = new Set(
    violations.map(
      ({ holder, where, name, form }) => `  ${colors.red("✗")} the ${holder} held the ${name} (${where}, as ${form})`,
    ),
  );
  return [
    "",
    table(["who held what", ...kinds], rows),
    "",
    `${joins} joins, ${uplinks} uplinks, ${downlinks} downlinks; ${secrets} keys and payloads searched for in ${(octetsSearched / 1e6).toFixed(0)} MB of memory and files, in eight forms.`,
    ...found,
    ...blind.map(
      ([holder, kind]) =>
        `  ${colors.red("✗")} the ${holder} was not seen to hold its own ${kind}: the search proves nothing`,
    ),
    violations.length + blind.length === 0
      ? colors.green("No server held a key or a payload that it may not hold.")
      : colors.red("The custody rules are broken."),
  ].join("\n");
}
