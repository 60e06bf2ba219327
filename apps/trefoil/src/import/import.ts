/**
 * `trefoil device import`: rows of a file become devices, in batches: however many there are, no more than one batch is in memory.
 * Keys are sealed before they leave this process (createDevices); one bad row does not stop the rest.
 */
import type { NewDevice, RowResult } from "../commands/provision.ts";
import { notesOf } from "./report.ts";
import type { FailedRow, ImportReport, ImportRow, Remark } from "./rows.ts";

export const batchSize = 1_000;

export type ImportSteps = {
  /** Creates a batch, and tells the fate of each device in its order. */
  readonly create: (devices: readonly NewDevice[]) => Promise<readonly RowResult[]>;
  /** Told once for each row that is not taken in, as it happens. */
  readonly onFailed?: (row: FailedRow) => void;
  readonly onProgress?: (rows: number, failed: number, imported: number) => void;
};

export async function importDevices(rows: AsyncIterable<ImportRow>, steps: ImportSteps): Promise<ImportReport> {
  const failed: FailedRow[] = [];
  const remarks = new Map<Remark, number>();
  const seen = new Map<string, number>(); // DevEUI → row
  let batch: { readonly row: number; readonly line: number; readonly device: NewDevice; remarks: readonly Remark[] }[] =
    [];
  let count = 0;
  let imported = 0;

  const fail = (row: FailedRow) => {
    failed.push(row);
    steps.onFailed?.(row);
  };
  async function flush() {
    const results = await steps.create(batch.map(({ device }) => device));
    for (const [i, { row, line, device, remarks: said }] of batch.entries()) {
      const result = results[i];
      for (const key of device.keys.values()) key[Symbol.dispose]();
      if (!result?.ok) {
        const { code, message } = result ?? { code: "import/no-answer", message: "the servers did not answer for it" };
        fail({ row, line, devEui: device.devEui, code, message });
        continue;
      }
      imported++;
      for (const remark of said) remarks.set(remark, (remarks.get(remark) ?? 0) + 1);
    }
    batch = [];
    steps.onProgress?.(count, failed.length, imported);
  }

  for await (const row of rows) {
    count++;
    if (!row.ok) {
      const { line, devEui, code, message } = row;
      fail({ row: count, line, ...(devEui === undefined ? {} : { devEui }), code, message });
      continue;
    }
    const { devEui } = row.device;
    const earlier = seen.get(devEui);
    if (earlier !== undefined) {
      for (const key of row.device.keys.values()) key[Symbol.dispose]();
      fail({
        row: count,
        line: row.line,
        devEui,
        code: "import/duplicate",
        message: `row ${earlier} has the same DevEUI`,
      });
      continue;
    }
    seen.set(devEui, count);
    batch.push({ row: count, line: row.line, device: row.device, remarks: row.remarks });
    if (batch.length === batchSize) await flush();
  }
  if (batch.length > 0) await flush();
  return { rows: count, imported, failed: failed.sort((a, b) => a.row - b.row), notes: notesOf(remarks) };
}
