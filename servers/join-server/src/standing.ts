/**
 * The owner's statements, as far as the join server acts on them: who may ask, which device is whose, for which JoinEUIs there is a master
 * key. The vault verified them, keeps them and judges by them again at every join; here they let a stranger be answered early.
 */
import { type Assigned, type Assignments, isInRange, makeAssignments, statementRow } from "@trefoil/custody";
import type {
  DeviceId,
  JoinEuiRange,
  MacVersion,
  MasterKeyStatement,
  NetworkId,
  PeerStatement,
  SignedStatement,
  Statement,
  StatementRow,
} from "@trefoil/wire";

/** A server that may ask by Backend Interfaces. */
export type Peer = {
  readonly name: string;
  /** SHA-256 of the SubjectPublicKeyInfo of its certificate, hex. */
  readonly fingerprint: string;
  /** Whom it speaks for: at least one. */
  readonly network?: NetworkId;
  readonly asId?: string;
  /** Where it wants its answers. Absent: in the HTTP response. */
  readonly url?: string;
  /** Its application server asks for the AppSKey itself. */
  readonly asksForAppSKey: boolean;
};
type MasterKey = { readonly joinEuis: JoinEuiRange; readonly issuedAt: number; readonly macVersion: MacVersion };

export class Standing {
  readonly #peers = new Map<string, { readonly issuedAt: number; readonly peer: Peer | undefined }>();
  readonly #assignments: Assignments = makeAssignments();
  #masterKeys: readonly MasterKey[] = []; // the smallest range first
  readonly #rows = new Map<string, StatementRow>();

  static of(all: readonly SignedStatement[]): Standing {
    const standing = new Standing();
    for (const { payload } of all) standing.take(JSON.parse(payload));
    return standing;
  }

  peerOf(fingerprint: string): Peer | undefined {
    return this.#peers.get(fingerprint)?.peer;
  }

  /** `undefined`: nobody's. */
  assignedTo(device: DeviceId): Assigned | undefined {
    return this.#assignments.of(device);
  }

  /** The version of devices whose root keys are derived, where there is a master key for their JoinEUI. */
  derivedVersion(joinEui: string): MacVersion | undefined {
    return this.#masterKeys.find(({ joinEuis }) => isInRange(joinEuis, joinEui))?.macVersion;
  }

  get rows(): readonly StatementRow[] {
    return [...this.#rows.values()].sort((a, b) => a.issuedAt - b.issuedAt);
  }

  get peerCount(): number {
    return [...this.#peers.values()].filter(({ peer }) => peer !== undefined).length;
  }

  /** One that the vault has admitted. */
  take(statement: Statement): void {
    if (statement.kind === "peer") this.#takePeer(statement);
    else if (statement.kind === "assignment") this.#assignments.take(statement);
    else if (statement.kind === "master-key") this.#takeMasterKey(statement);
    const row = statementRow(statement);
    const several = statement.kind === "assignment" && (statement.devices?.length ?? 0) > 1;
    const about = [row.kind, row.certificate, row.subject, several ? row.issuedAt : ""].join(" ");
    if ((this.#rows.get(about)?.issuedAt ?? -1) <= row.issuedAt) this.#rows.set(about, row);
  }

  #takePeer({ certificate, issuedAt, name, network, asId, url, appSKey, revoked }: PeerStatement): void {
    if ((this.#peers.get(certificate)?.issuedAt ?? -1) > issuedAt) return;
    const peer: Peer = {
      name,
      fingerprint: certificate,
      ...(network === undefined ? {} : { network }),
      ...(asId === undefined ? {} : { asId }),
      ...(url === undefined ? {} : { url }),
      asksForAppSKey: appSKey === "app-s-key-req",
    };
    this.#peers.set(certificate, { issuedAt, peer: revoked ? undefined : peer });
  }

  #takeMasterKey({ joinEuis, issuedAt, macVersion }: MasterKeyStatement): void {
    const isSame = (other: MasterKey) =>
      other.joinEuis.first === joinEuis.first && other.joinEuis.last === joinEuis.last;
    const former = this.#masterKeys.find(isSame);
    if (former !== undefined && former.issuedAt > issuedAt) return;
    const size = ({ joinEuis: { first, last } }: MasterKey) => BigInt(`0x${last}`) - BigInt(`0x${first}`);
    this.#masterKeys = [...this.#masterKeys.filter((other) => !isSame(other)), { joinEuis, issuedAt, macVersion }].sort(
      (a, b) => Number(size(a) > size(b)) - Number(size(a) < size(b)),
    );
  }
}
