/** POST /devices: sealed root keys go through to the vault, blobs come back and are stored. One bad row does not stop the rest. */
import type { Imported, Vault } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { JoinDevice, Results } from "@trefoil/wire";
import { parseJoinDevice } from "./parse.ts";
import type { Registry } from "./registry.ts";

/** Devices in one question to the vault: joins pass between two. */
const groupSize = 100;

type Result = Results["results"][number];
export type ImportPorts = { readonly registry: Registry; readonly vault: Pick<Vault, "importRootKeys"> };

const failed = (code: string, message: string): Result => ({ ok: false, code, message });

export async function importDevices(rows: readonly unknown[], ports: ImportPorts): Promise<Results> {
  const results: Result[] = [];
  for (let at = 0; at < rows.length; at += groupSize)
    results.push(...(await importGroup(rows.slice(at, at + groupSize), ports)));
  return { results };
}

async function importGroup(rows: readonly unknown[], { registry, vault }: ImportPorts): Promise<readonly Result[]> {
  const checked = rows.map((row): JoinDevice | Result => {
    const parsed = parseJoinDevice(row);
    if ("wrong" in parsed) return failed("device/malformed", parsed.wrong);
    return registry.byDevEui(parsed.device.devEui) ? exists : parsed.device;
  });
  const devices = checked.filter((row): row is JoinDevice => "devEui" in row);
  let imported: readonly Imported[] = [];
  try {
    if (devices.length > 0)
      imported = await vault.importRootKeys(
        devices.map(({ devEui, joinEui, macVersion, sealed, origin, provision }) => ({
          ...{ devEui, joinEui, macVersion, sealed },
          ...(origin === undefined ? {} : { origin }),
          ...(provision === undefined ? {} : { provision }),
        })),
      );
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { code, message } = error;
    return checked.map((row) => ("devEui" in row ? failed(code, message) : row));
  }
  const answers = new Map(devices.map((device, i) => [device, imported[i]]));
  return Promise.all(checked.map((row) => ("devEui" in row ? store(row, answers.get(row), registry) : row)));
}

/**
 * A device that comes from elsewhere without its history must not see a JoinNonce again: it starts where no other join server is likely
 * to have come.
 */
const firstJoinNonceOfImports = 65_536;
const startOf = ({ origin, lastJoinNonce }: JoinDevice): { readonly lastJoinNonce?: number } =>
  lastJoinNonce === undefined && origin === "file" ? { lastJoinNonce: firstJoinNonceOfImports - 1 } : {};

async function store(device: JoinDevice, answer: Imported | undefined, registry: Registry): Promise<Result> {
  if (answer?.result !== "imported") {
    const code = answer?.code ?? "vault/malformed";
    return failed(code, sentences[code] ?? "the vault refused its keys");
  }
  const { blobs, provenance } = answer;
  try {
    await registry.add({ ...device, ...startOf(device), blobs, provenance });
    return { ok: true };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.code === "store/constraint" ? exists : failed(error.code, error.message);
  }
}

const exists = failed("device/exists", "there is a device with this DevEUI already");

/** What a person can do about a refusal of the vault. */
const sentences: { readonly [code: string]: string } = {
  "sealed/malformed": "the sealed keys are not in the format of docs/sealed-key.md",
  "sealed/not-for-this-receiver": "the keys are sealed to another vault: compare the fingerprint",
  "sealed/transport": "the keys are not encrypted to this vault",
  "sealed/changed": "a sealed key was changed: role, JoinEUI, DevEUI and vault must be those that it was sealed for",
  "import/other-device": "the sealed keys are of another DevEUI or JoinEUI",
  "import/wrong-keys": "a device of 1.0.x needs its AppKey, one of 1.1 its AppKey and NwkKey",
  "import/provision":
    "the provisioner's signature does not fit the sealed keys, or no statement names that provisioner",
};
