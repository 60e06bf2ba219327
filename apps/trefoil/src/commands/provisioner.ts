/** `trefoil provisioner …`: makers whose signature proves that a sealed key was never in the clear outside their HSM. */
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { fingerprintOf, parseSigner } from "@trefoil/custody";
import type { ProvisionerStatement } from "@trefoil/wire";
import type { Command } from "commander";
import { type Saying, spoken } from "../owner/statements.ts";
import { ageText, facts, fingerprintText, type Output, table, UserError } from "./output.ts";
import { ownerSays, realmSettings, saidText } from "./owner-says.ts";
import { parseName, parseRange } from "./parse.ts";
import { action } from "./run.ts";

export function addProvisionerCommands(program: Command): void {
  const provisioner = program.command("provisioner").description("makers whose sealed keys count as never exposed");
  provisioner
    .command("add <name>")
    .description("believe this maker's signature, for its JoinEUI range; signed by the realm owner")
    .requiredOption("--public-key <file>", "Ed25519 or P-256, in PEM")
    .requiredOption("--join-euis <FIRST-LAST>")
    .action(action(add));
  provisioner
    .command("revoke <name>")
    .description("believe it no more; keys taken in before keep their provenance; signed by the realm owner")
    .action(
      action(async (out: Output, command, name: string) => {
        const { dataDir } = realmSettings(command);
        const standing = provisionersIn(dataDir).filter((one) => one.name === name && !one.revoked);
        if (standing.length === 0) throw new UserError("provisioner/unknown", `there is no provisioner "${name}"`);
        const said = await ownerSays(
          dataDir,
          standing.map(({ version: _v, vault: _f, issuedAt: _t, ...rest }): Saying => ({ ...rest, revoked: true })),
        );
        out.result({ name, said }, () => [`The provisioner ${name} is believed no more.`, saidText(said)].join("\n"));
      }),
    );
  provisioner
    .command("list")
    .description("makers, their ranges and keys")
    .action(
      action(async (out: Output, command) => {
        const all = provisionersIn(realmSettings(command).dataDir);
        out.result(all, () =>
          all.length === 0
            ? "There are no provisioners."
            : table(
                ["provisioner", "JoinEUIs", "since", "key"],
                all.map(({ name, joinEuis, issuedAt, publicKey, revoked }) => [
                  revoked ? `${name} (revoked)` : name,
                  `${joinEuis.first} to ${joinEuis.last}`,
                  ageText(issuedAt),
                  `${fingerprintText(keyFingerprint(publicKey).slice(0, 16))} …`,
                ]),
              ),
        );
      }),
    );
}

async function add(out: Output, command: Command, name: string): Promise<void> {
  const { dataDir } = realmSettings(command);
  const options = command.opts<{ publicKey: string; joinEuis: string }>();
  const publicKey = readPublicKey(options.publicKey);
  const joinEuis = parseRange("--join-euis", options.joinEuis);
  const said = await ownerSays(dataDir, [{ kind: "provisioner", name: parseName("name", name), publicKey, joinEuis }]);
  out.result({ name, joinEuis, publicKey, said }, () =>
    [
      `Keys that ${name} sealed and signed, for JoinEUIs ${joinEuis.first} to ${joinEuis.last}, count as never exposed.`,
      "",
      facts([["its key", fingerprintText(keyFingerprint(publicKey))]]),
      "",
      "Compare the fingerprint with what the maker tells you.",
      saidText(said),
    ].join("\n"),
  );
}

/** The last statement about each key. */
function provisionersIn(dataDir: string): readonly ProvisionerStatement[] {
  const byKey = new Map<string, ProvisionerStatement>();
  for (const statement of spoken(dataDir))
    if (statement.kind === "provisioner") byKey.set(statement.publicKey, statement);
  return [...byKey.values()];
}

function readPublicKey(file: string): string {
  let text: string | undefined;
  try {
    text = createPublicKey(readFileSync(file, "utf8")).export({ type: "spki", format: "der" }).toString("base64");
  } catch {
    text = undefined;
  }
  if (text === undefined || parseSigner(text) === undefined)
    throw new UserError("input/public-key", `${file} holds no Ed25519 or P-256 public key in PEM`);
  return text;
}

function keyFingerprint(publicKey: string): string {
  const key = parseSigner(publicKey);
  return key ? fingerprintOf(key) : "";
}
