/** One vault under test, asked through the port, with a realm of its own: owner, networks, KEKs, devices. */
import { createDecipheriv, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type AuditEntry,
  type AuditReport,
  Key,
  type KeyRole,
  type LabelledKek,
  makeKekSealedTo,
  makeOwnerKey,
  openOwnerKey,
  parseReceiver,
  type Receiver,
  type RootKeyBlobs,
  sealKeys,
  signStatement,
  type VaultJoin,
  type VaultJoined,
  type VaultRejoin,
  verifyAuditLog,
} from "@trefoil/custody";
import type { MacVersion, NetworkId, SealedKeys, SignedStatement, Statement, VaultInfo } from "@trefoil/wire";
import { expect } from "vitest";
import { type AuditLog, openAuditLog } from "../../src/audit-log/writer.ts";
import { type Operations, operations } from "../../src/operations.ts";
import type { Token } from "../../src/token.ts";
import { joinRequest, jsKey, rejoinRequest, sessionKey, un } from "../reference.ts";

/** A vault that an engine has made, in a folder of its own. `open`: its token, as a process of the vault opens it. */
// biome-ignore lint/suspicious/noExplicitAny: each engine has handles of its own type
export type MadeVault = { readonly dataDir: string; readonly info: VaultInfo; readonly open: () => Token<any> };
export type Engine = {
  readonly name: VaultInfo["engine"];
  readonly make: (ownerPublicKey: string) => MadeVault;
};

export type VaultProcess = {
  readonly ask: Operations;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly token: Token<any>;
  readonly log: AuditLog;
  readonly stop: () => Promise<void>;
};

export const owner = makeOwnerKey("contract");
export const ownerKey: KeyObject = openOwnerKey(owner.privateKeyPem, "contract") ?? expect.unreachable();
/** Somebody else with a key of the same kind. */
export const stranger: KeyObject = generateKeyPairSync("ed25519").privateKey;

export const appKey = "2b7e151628aed2a6abf7158809cf4f3c";
export const nwkKey = "00112233445566778899aabbccddeeff";
export const device = { devEui: "0011223344556677", joinEui: "70b3d57ed0000001" };
export const other = { devEui: "0011223344556699", joinEui: "70b3d57ed0000001" };
export const everything = { first: "0000000000000000", last: "ffffffffffffffff" };
export const ours: NetworkId = { netId: "000013" };
export const theirs: NetworkId = { netId: "600021" };
export const asId = "trefoil-as";
const firstTime = 1_700_000_000_000;

export type Roots = { readonly [role in KeyRole]?: string };
type Unsigned = Statement extends infer S
  ? S extends Statement
    ? Omit<S, "version" | "vault" | "issuedAt">
    : never
  : never;

/** Making keys takes long: a realm gets the keys of one before it, and nothing else of it. */
const vaults = new WeakMap<Engine, Map<number, MadeVault>>();
function emptied(engine: Engine, slot: number): MadeVault {
  const made = vaults.get(engine)?.get(slot) ?? engine.make(owner.publicKey);
  vaults.set(engine, (vaults.get(engine) ?? new Map<number, MadeVault>()).set(slot, made));
  for (const name of ["statements.jsonl", "statements.tally.json", "audit-log", "canary.json"])
    rmSync(join(made.dataDir, name), { recursive: true, force: true });
  return made;
}

export class Realm {
  readonly made: MadeVault;
  readonly info: VaultInfo;
  readonly receiver: Receiver;
  readonly keks = new Map<string, LabelledKek>();
  /** What the clock of the vault says. */
  now = firstTime;
  process: VaultProcess;
  #issued = firstTime - 1_000_000;

  /** `slot`: two realms that are alive at the same time have two vaults. */
  constructor(engine: Engine, slot = 0) {
    this.made = emptied(engine, slot);
    this.info = this.made.info;
    this.receiver = parseReceiver(this.info.publicKey) ?? expect.unreachable();
    this.process = this.start(0);
  }

  get ask(): Operations {
    return this.process.ask;
  }
  start(instance: number): VaultProcess {
    const token = this.made.open();
    const log = openAuditLog({ dataDir: this.made.dataDir, instance, token, clock: () => this.now });
    const ask = operations({ token, dataDir: this.made.dataDir, log, clock: () => this.now });
    return {
      ask,
      token,
      log,
      async stop() {
        await log.close();
        token.close();
      },
    };
  }
  async restart(): Promise<void> {
    await this.process.stop();
    this.process = this.start(0);
  }

  /** Signed by the owner, later than all before, unless `issuedAt` says otherwise. */
  sign(statement: Unsigned, { by = ownerKey, issuedAt = this.#later(), vault = this.info.fingerprint } = {}) {
    return signStatement(by, { version: 1, vault, issuedAt, ...statement } as Statement);
  }
  #later(): number {
    this.#issued += 1;
    return this.#issued;
  }
  admit(signed: SignedStatement): string {
    const answer = this.ask.admit(signed);
    return answer?.result === "refused" ? answer.code : (answer?.result ?? "nothing");
  }
  say(statement: Unsigned, options = {}): string {
    return this.admit(this.sign(statement, options));
  }
  /** A KEK for a network or AS-ID, sealed to this vault. The last one made is `keks.get(label)`. */
  kek(label: string, is: { readonly network: NetworkId } | { readonly asId: string }, more = {}): Unsigned {
    const { kek, sealed } = makeKekSealedTo(this.receiver, label);
    this.keks.set(label, kek);
    return { kind: "kek", label, ...is, kek: sealed, ...more } as Unsigned;
  }
  /** Two networks and two application servers with KEKs; everything is our network's. */
  makeRealm(): void {
    for (const statement of [
      this.kek("ns/000013", { network: ours }),
      this.kek("ns/600021", { network: theirs }),
      this.kek("as/trefoil-as", { asId }),
      this.kek("as/theirs", { asId: "theirs-as" }),
      { kind: "assignment", joinEuis: everything, network: ours, asId },
    ] as Unsigned[])
      expect(this.say(statement)).toBe("admitted");
  }

  sealed(keys: Roots, euis: { readonly devEui: string; readonly joinEui: string } = device): SealedKeys {
    const { devEui, joinEui } = euis;
    return sealKeys(
      this.receiver,
      Object.entries(keys).map(([role, key]) => ({ key: new Key(role as KeyRole, un(key)), joinEui, devEui })),
    );
  }
  import(row: object) {
    return this.ask.importRootKeys([row])?.[0] ?? expect.unreachable("no answer");
  }
  imported(macVersion: MacVersion, keys: Roots, more: object = {}): RootKeyBlobs {
    const answer = this.import({ ...device, macVersion, sealed: this.sealed(keys), ...more });
    return answer.result === "imported" ? answer.blobs : expect.unreachable(JSON.stringify(answer));
  }

  /** What a session key's receiver reads in its envelope. */
  opened(label: string, envelope: { readonly kekLabel: string; readonly aesKey: string } | undefined): string {
    expect(envelope?.kekLabel).toBe(label);
    const kek = this.keks.get(label) ?? expect.unreachable(label);
    return kek.key.expose((octets) =>
      createDecipheriv("id-aes256-wrap", octets, Buffer.alloc(8, 0xa6))
        .update(un(envelope?.aesKey ?? ""))
        .toString("hex"),
    );
  }

  /** Entries of the audit log that are on the disk, and the verdict about it. */
  async auditLog(instance = 0): Promise<{ readonly report: AuditReport; readonly entries: readonly AuditEntry[] }> {
    const folder = join(this.made.dataDir, "audit-log");
    const entries: AuditEntry[] = [];
    const names = readdirSync(folder).filter((name) => name.startsWith(`${instance}-`));
    const der = Buffer.from(this.info.auditKey, "base64");
    const report = verifyAuditLog({
      auditKey: createPublicKey({ key: der, format: "der", type: "spki" }),
      fingerprint: this.info.fingerprint,
      instance,
      segments: names.sort().map((name) => readFileSync(join(folder, name))),
      onEntry: (entry) => entries.push(entry),
    });
    return { report, entries };
  }
}

const accept = { joinNonce: 0x030201, devAddr: "26011bda", rxDelay: 1 };
export const join10 = (change: Partial<VaultJoin> = {}): VaultJoin => ({
  ...device,
  ...accept,
  network: ours,
  macVersion: "1.0.4",
  joinRequest: joinRequest(appKey, device.joinEui, device.devEui, 258),
  dlSettings: 0x03,
  ...change,
});
export const join11 = (change: Partial<VaultJoin> = {}): VaultJoin => ({
  ...join10(),
  macVersion: "1.1",
  joinRequest: joinRequest(nwkKey, device.joinEui, device.devEui, 258),
  dlSettings: 0x83,
  ...change,
});
/** SNwkSIntKey of the session that join11 makes: what a network server has, and a device makes rejoin-requests of type 0 and 2 with. */
export const sNwkSIntKey = sessionKey(nwkKey, 3, accept.joinNonce, device.joinEui, 258);
export function rejoin11(type: 0 | 1 | 2, change: Partial<VaultRejoin> = {}): VaultRejoin {
  const { joinRequest: _, ...rest } = join11();
  const key = type === 1 ? jsKey(nwkKey, 6, device.devEui) : sNwkSIntKey;
  const at = type === 1 ? device.joinEui : ours.netId;
  return { ...rest, joinNonce: 0x030202, rejoinRequest: rejoinRequest(type, key, at, device.devEui, 7), ...change };
}

export const joined = (answer: VaultJoined | undefined) =>
  answer?.result === "joined" ? answer : expect.unreachable(JSON.stringify(answer));
export const outcome = (answer: { readonly result: string } | undefined): string =>
  answer === undefined
    ? "nothing"
    : answer.result === "refused"
      ? ((answer as { code?: string }).code ?? "")
      : answer.result;
