/**
 * Administration of what only the realm owner may cause: statements go through to the vault, which alone judges them, and exports of
 * root keys that one of them allows.
 */
import { isEui, subjectText, type Vault, type VaultPool } from "@trefoil/custody";
import { AdminRefusal, type Context } from "@trefoil/service";
import type { DeviceId, SealedKeys, SignedStatement, Statement, VaultStatus } from "@trefoil/wire";
import type { Audit } from "./audit.ts";
import { withBlobs } from "./devices/admin.ts";
import type { Registry } from "./devices/registry.ts";
import { findDevice } from "./join/handle.ts";
import type { Standing } from "./standing.ts";

export type StatementPorts = {
  readonly registry: Registry;
  readonly audit: Audit;
  readonly vault: Pick<Vault, "info" | "admit" | "exportRootKeys"> & Pick<VaultPool, "each">;
  readonly standing: () => Standing;
  readonly known: () => Standing;
  readonly admitted: (statement: Statement) => void;
};
/** Devices of one export statement. */
const mostExported = 500;

export function addStatementRoutes(admin: Context["admin"], ports: StatementPorts): void {
  const { audit, vault, known, admitted: onAdmitted } = ports;

  admin.get("/vault", async () => vault.info({}));
  admin.get("/vault/status", async (): Promise<readonly VaultStatus[]> => {
    const there = vault.each().filter(({ connected }) => connected);
    return Promise.all(there.map((each) => each.vault.status({})));
  });

  admin.get("/statements", async () => known().rows);
  admin.post<{ Body: SignedStatement | null }>("/statements", async ({ body }) => {
    const statement = read(body);
    const admitted = isSigned(body) ? await vault.admit(body) : notSigned;
    const about = {
      kind: String(statement?.kind ?? "(unreadable)").slice(0, 32),
      issuedAt: Number(statement?.issuedAt) || 0,
    };
    if (admitted.result === "refused") {
      audit.note("statement/refused", null, { ...about, code: admitted.code });
      throw new AdminRefusal(admitted.code, `the vault did not admit the statement (${about.kind})`, 409);
    }
    // What the vault has admitted is a statement, and whole.
    if (statement !== undefined) onAdmitted(statement);
    const subject = statement === undefined ? "" : subjectText(statement);
    await audit.write("statement/admitted", null, { ...about, subject });
    return {};
  });

  admin.post<{ Body: { readonly devices?: unknown; readonly to?: unknown } | null }>("/exports", async ({ body }) => {
    const asked = parseExport(body);
    if (asked === undefined)
      throw new AdminRefusal(
        "admin/invalid-body",
        "the body is { devices: 1 to 500 of { devEui, joinEui }, to: fingerprint }",
      );
    const devices: (DeviceId & { readonly sealed: SealedKeys })[] = [];
    for (const id of asked.devices) devices.push({ ...id, sealed: await exportOne(id, asked.to, ports) });
    return { devices };
  });
}

async function exportOne(id: DeviceId, to: string, ports: StatementPorts): Promise<SealedKeys> {
  const { devEui } = id;
  const device = findDevice(id, ports);
  if (device === undefined) throw new AdminRefusal("device/unknown", `there is no device ${devEui}`, 404);
  const { blobs } = withBlobs(device);
  const exported = await ports.vault.exportRootKeys({ to, device: id, ...(blobs === undefined ? {} : { blobs }) });
  if (exported.result === "refused") {
    await ports.audit.write("export/refused", devEui, { to, code: exported.code });
    throw new AdminRefusal(exported.code, `the vault did not export the keys of ${devEui}`, 409);
  }
  await ports.audit.write("device/exported", devEui, { to });
  return exported.sealed;
}

const isSigned = (body: unknown): body is SignedStatement =>
  typeof body === "object" &&
  body !== null &&
  "payload" in body &&
  typeof body.payload === "string" &&
  "signature" in body &&
  typeof body.signature === "string";
const notSigned = { result: "refused", code: "statement/malformed" } as const;

/** For the audit trail, and to act on it once the vault has admitted it. Nothing here has checked the signature. */
function read(body: SignedStatement | null): Statement | undefined {
  try {
    return JSON.parse(body?.payload ?? "") as Statement;
  } catch {
    return undefined;
  }
}

function parseExport(body: { readonly devices?: unknown; readonly to?: unknown } | null) {
  const { devices, to } = body ?? {};
  const isDevice = (value: unknown): value is DeviceId =>
    typeof value === "object" &&
    value !== null &&
    "devEui" in value &&
    "joinEui" in value &&
    isEui(value.devEui) &&
    isEui(value.joinEui);
  if (!Array.isArray(devices) || devices.length === 0 || devices.length > mostExported) return undefined;
  if (typeof to !== "string" || !/^[0-9a-f]{64}$/.test(to) || !devices.every(isDevice)) return undefined;
  return { devices: devices.map(({ devEui, joinEui }) => ({ devEui, joinEui })), to };
}
