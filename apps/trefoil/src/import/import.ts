/**
 * `trefoil device import`: rows of a file become devices. Keys are sealed before they leave this process; one bad row does not
 * stop the rest. Formats: The Things Stack's CSV and JSON exports (csv.ts, tts-json.ts).
 */
import { createDevices, type NewDevice, type Realm } from "../commands/provision.ts";
import { readCsv } from "./csv.ts";
import { type FailedRow, type ImportDefaults, type ImportReport, unknownJoinNonceStart } from "./rows.ts";
import { readTtsJson } from "./tts-json.ts";

const batchSize = 5_000;

export async function importDevices(
  realm: Realm,
  text: string,
  defaults: ImportDefaults,
  progress: (line: string) => void,
): Promise<ImportReport> {
  const rows = text.trimStart().startsWith("{") ? readTtsJson(text, defaults) : readCsv(text, defaults);
  const failed: FailedRow[] = [];
  let imported = 0;
  let withoutHistory = 0;
  for (let at = 0; at < rows.length; at += batchSize) {
    const good: { row: number; device: NewDevice }[] = [];
    for (const [i, row] of rows.slice(at, at + batchSize).entries()) {
      if (!row.ok) failed.push({ row: at + i + 1, ...withDevEui(row.devEui), code: row.code, message: row.message });
      else {
        if (!row.device.abp && !row.joinNonceKnown) withoutHistory++;
        good.push({ row: at + i + 1, device: row.device });
      }
    }
    const results = await createDevices(
      realm,
      good.map(({ device }) => device),
    );
    for (const [i, result] of results.entries()) {
      const { row, device } = good[i] as { row: number; device: NewDevice };
      if (result.ok) imported++;
      else failed.push({ row, devEui: device.devEui, code: result.code, message: result.message });
    }
    progress(`${Math.min(at + batchSize, rows.length)} of ${rows.length} rows`);
  }
  const notes =
    withoutHistory === 0
      ? []
      : [
          `${withoutHistory} devices came without their join history: their JoinNonce starts at ${unknownJoinNonceStart}.`,
        ];
  return { imported, failed: failed.sort((a, b) => a.row - b.row), notes };
}

const withDevEui = (devEui: string | undefined) => (devEui === undefined ? {} : { devEui });
