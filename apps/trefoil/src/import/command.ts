/** `trefoil device import FILE` */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Command } from "commander";
import { type Output, UserError } from "../commands/output.ts";
import { parseId, parseMacVersion } from "../commands/parse.ts";
import { createDevices } from "../commands/provision.ts";
import { loadSettings, realmOf } from "../commands/realm.ts";
import { action, optionsOf } from "../commands/run.ts";
import { readRecord, vaultFingerprint } from "../owner/record.ts";
import { readRows } from "./formats.ts";
import { importDevices } from "./import.ts";
import { progressOn } from "./progress.ts";
import { reportText } from "./report.ts";
import type { FailedRow } from "./rows.ts";
import { openSource } from "./source.ts";

type Options = { readonly application?: string; readonly macVersion: string; readonly report?: string };

export function addImportCommand(device: Command): void {
  device
    .command("import <file>")
    .description("register many: The Things Stack's CSV or JSON, a Microchip manifest, or an export of Trefoil")
    .option("--application <id>", "the application that gets their data (not with a Join Server alone)")
    .option("--mac-version <version>", "for rows that do not say", "1.0.4")
    .option("--report <file>", "write every row that fails to this file, one JSON line each")
    .action(action(run));
}

async function run(out: Output, command: Command, file: string): Promise<void> {
  const settings = loadSettings(optionsOf(command));
  const { application, macVersion, report: reportFile } = command.opts<Options>();
  const realm = realmOf(settings);
  const alone = realm.deployment === "join-server";
  if (application === undefined && !alone)
    throw new UserError("input/application", "--application is needed: the application that gets their data");
  const defaults = {
    applicationId: alone ? "" : parseId("--application", application ?? ""),
    macVersion: parseMacVersion("--mac-version", macVersion),
    region: settings.config.network.region,
    vault: vaultFingerprint(readRecord(realm.dataDir)),
    alone,
  };
  const source = openSource(file);
  const failures = openReport(reportFile);
  const progress = out.json ? progressOn({ write: () => true }, Date.now) : progressOn(process.stderr, Date.now);
  let done = 0;
  try {
    const report = await importDevices(readRows(source.text, defaults), {
      create: (devices) => createDevices(realm, devices),
      onFailed: failures.add,
      onProgress(rows, failed, imported) {
        done = imported;
        progress.show(source.bytesRead() / (source.totalBytes || 1), rows, failed);
      },
    });
    progress.end();
    out.result(report, () => reportText(report, { reportFile, width: process.stdout.columns }));
    if (report.failed.length > 0) process.exitCode = 1;
  } catch (error) {
    progress.end();
    if (done > 0)
      out.note(`${done} devices were imported before; the same command again goes on, and reports those as existing.`);
    throw error;
  } finally {
    failures.close();
  }
}

/** Rows that failed, as they fail: what was found out stays when the import is broken off. */
function openReport(path: string | undefined): { readonly add: (row: FailedRow) => void; readonly close: () => void } {
  if (path === undefined) return { add: () => undefined, close: () => undefined };
  let file: number;
  try {
    file = openSync(path, "w");
  } catch {
    throw new UserError("import/report", `${path} cannot be written`);
  }
  return { add: (row) => void writeSync(file, `${JSON.stringify(row)}\n`), close: () => closeSync(file) };
}
