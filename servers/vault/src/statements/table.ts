/** Which of the owner's statements stand, and what they say. Pure: signatures were checked before, keys are opened elsewhere. */
import {
  type Assigned,
  deviceKey,
  isInRange,
  makeAssignments,
  networkText,
  parseReceiver,
  type Receiver,
} from "@trefoil/custody";
import type {
  DeviceId,
  ExportStatement,
  KekStatement,
  MasterKeyStatement,
  NetworkId,
  PeerStatement,
  ProvisionerStatement,
  Statement,
} from "@trefoil/wire";

export type Verdict = "new" | "same" | "statement/older" | "statement/label-taken";

export type StatementTable = {
  /**
   * What `take` would do with it. Judged by the statements' own times, never by the clock: so every process, and the same one after a restart,
   * comes to the same end.
   */
  readonly judge: (statement: Statement) => Verdict;
  /** Of a statement that was judged new. Returns those with keys that no longer stand. */
  readonly take: (statement: Statement) => readonly KeyStatement[];
  readonly stands: (statement: Statement) => boolean;
  readonly assigned: (device: DeviceId) => Assigned | undefined;
  readonly kekOfNetwork: (network: NetworkId, now: number) => KekStatement | undefined;
  readonly kekOfApplication: (asId: string, now: number) => KekStatement | undefined;
  readonly masterKey: (joinEui: string) => MasterKeyStatement | undefined;
  /** Whether this key's signature counts for devices of this JoinEUI. */
  readonly isProvisioner: (publicKey: string, joinEui: string) => boolean;
  readonly exportReceiver: (device: DeviceId, fingerprint: string, now: number) => Receiver | undefined;
  /** Fingerprints. From when the owner allowed it: nothing takes it back. */
  readonly exportedTo: (device: DeviceId) => readonly string[];
  /** All that stand with keys: KEKs (also the former, while it is in use) and master keys. */
  readonly withKeys: () => readonly KeyStatement[];
};
export type KeyStatement = KekStatement | MasterKeyStatement;

type Latest<S extends Statement> = Map<string, S>;

const kekSubject = ({ network, asId }: Pick<KekStatement, "network" | "asId">) =>
  network === undefined ? `as ${asId}` : `net ${networkText(network)}`;
const rangeSubject = ({ joinEuis: { first, last } }: MasterKeyStatement) => first + last;
const isSame = (a: Statement, b: Statement) => JSON.stringify(a) === JSON.stringify(b);

export function statementTable(): StatementTable {
  const assignments = makeAssignments();
  /** In order of time: the one in use, and those after it. */
  const keks = new Map<string, readonly KekStatement[]>();
  const peers: Latest<PeerStatement> = new Map();
  const provisioners: Latest<ProvisionerStatement> = new Map();
  const masters: Latest<MasterKeyStatement> = new Map();
  const exports = exportTable();

  const against = <S extends Statement>(standing: S | undefined, statement: S): Verdict => {
    if (standing === undefined || standing.issuedAt < statement.issuedAt) return "new";
    return isSame(standing, statement) ? "same" : "statement/older";
  };

  /** TS002: labels name KEKs. So a label is one subject's alone, and there one KEK's. */
  function isLabelTaken(statement: KekStatement): boolean {
    for (const [subject, all] of keks)
      for (const other of inUseAndAfter(all, statement.issuedAt))
        if (other.label === statement.label)
          if (subject !== kekSubject(statement) || JSON.stringify(other.kek) !== JSON.stringify(statement.kek))
            return true;
    return false;
  }

  function judge(statement: Statement): Verdict {
    switch (statement.kind) {
      case "kek": {
        const verdict = against(keks.get(kekSubject(statement))?.at(-1), statement);
        return verdict === "new" && isLabelTaken(statement) ? "statement/label-taken" : verdict;
      }
      case "peer":
        return against(peers.get(statement.certificate), statement);
      case "assignment": {
        const verdict = assignments.judge(statement);
        return verdict === "older" ? "statement/older" : verdict;
      }
      case "master-key":
        return against(masters.get(rangeSubject(statement)), statement);
      case "provisioner":
        return against(provisioners.get(statement.publicKey), statement);
      case "export":
        return exports.judge(statement);
    }
  }

  function take(statement: Statement): readonly KeyStatement[] {
    switch (statement.kind) {
      case "kek": {
        const before = keks.get(kekSubject(statement)) ?? [];
        // A later one replaces one that is not in use yet.
        const inUse = inUseAndAfter(before, statement.issuedAt).slice(0, 1);
        const after = inUseAndAfter([...inUse, statement], statement.issuedAt);
        keks.set(kekSubject(statement), after);
        return before.filter((one) => !after.includes(one));
      }
      case "peer":
        peers.set(statement.certificate, statement);
        return [];
      case "assignment":
        assignments.take(statement);
        return [];
      case "master-key": {
        const before = masters.get(rangeSubject(statement));
        masters.set(rangeSubject(statement), statement);
        return before === undefined ? [] : [before];
      }
      case "provisioner":
        provisioners.set(statement.publicKey, statement);
        return [];
      case "export":
        exports.take(statement);
        return [];
    }
  }

  function stands(statement: Statement): boolean {
    switch (statement.kind) {
      case "kek":
        return (keks.get(kekSubject(statement)) ?? []).some((one) => isSame(one, statement));
      case "peer":
        return peers.get(statement.certificate)?.issuedAt === statement.issuedAt;
      case "assignment":
        return assignments.stands(statement);
      case "master-key":
        return masters.get(rangeSubject(statement))?.issuedAt === statement.issuedAt;
      case "provisioner":
        return provisioners.get(statement.publicKey)?.issuedAt === statement.issuedAt;
      case "export":
        return true;
    }
  }

  const kekOf = (subject: string, now: number) => inUseAndAfter(keks.get(subject) ?? [], now)[0];
  return {
    judge,
    take,
    stands,
    assigned: assignments.of,
    kekOfNetwork: (network, now) => kekOf(kekSubject({ network }), now),
    kekOfApplication: (asId, now) => kekOf(kekSubject({ asId }), now),
    masterKey: (joinEui) => smallest([...masters.values()].filter(({ joinEuis }) => isInRange(joinEuis, joinEui))),
    isProvisioner(publicKey, joinEui) {
      const provisioner = provisioners.get(publicKey);
      return provisioner !== undefined && provisioner.revoked !== true && isInRange(provisioner.joinEuis, joinEui);
    },
    exportReceiver: exports.receiver,
    exportedTo: exports.of,
    withKeys: () => [...[...keks.values()].flat(), ...masters.values()],
  };
}

/** From the latest whose time of use has come; the first, where none's has: there is nothing else to use. */
function inUseAndAfter(all: readonly KekStatement[], now: number): readonly KekStatement[] {
  const inUse = all.findLastIndex(({ usedFrom = 0 }) => usedFrom <= now);
  return all.slice(Math.max(inUse, 0));
}

const sizeOf = ({ joinEuis: { first, last } }: MasterKeyStatement) => BigInt(`0x${last}`) - BigInt(`0x${first}`);
const smallest = (all: readonly MasterKeyStatement[]): MasterKeyStatement | undefined =>
  all.toSorted((a, b) => Number(sizeOf(a) > sizeOf(b)) - Number(sizeOf(a) < sizeOf(b)) || b.issuedAt - a.issuedAt)[0];

/** A list of receivers for each device, from when the owner allowed it on; devices with the same receivers share one. */
function exportTable() {
  const receivers = new Map<string, Receiver>();
  const lists = new Map<string, readonly string[]>();
  const byDevice = new Map<string, readonly string[]>();
  /** The latest word about a device and receiver. */
  const latest = new Map<string, Pick<ExportStatement, "issuedAt" | "until">>();
  const none: readonly string[] = [];
  const of = (device: DeviceId) => byDevice.get(deviceKey(device)) ?? none;
  const about = (device: DeviceId, fingerprint: string) => `${deviceKey(device)} ${fingerprint}`;
  const receiverOf = ({ to }: ExportStatement): Receiver => {
    const receiver = parseReceiver(to);
    if (receiver === undefined) throw new TypeError("an export statement was taken unparsed");
    return receiver;
  };
  return {
    of,
    judge(statement: ExportStatement): Verdict {
      const { fingerprint } = receiverOf(statement);
      const { issuedAt, until } = statement;
      const standing = statement.devices.map((device) => latest.get(about(device, fingerprint)));
      if (standing.every((one) => one?.issuedAt === issuedAt && one.until === until)) return "same";
      return standing.every((one) => one === undefined || one.issuedAt < issuedAt) ? "new" : "statement/older";
    },
    take(statement: ExportStatement): void {
      const receiver = receiverOf(statement);
      const { issuedAt, until } = statement;
      receivers.set(receiver.fingerprint, receiver);
      for (const device of statement.devices) {
        latest.set(about(device, receiver.fingerprint), { issuedAt, until });
        if (of(device).includes(receiver.fingerprint)) continue;
        const all = [...of(device), receiver.fingerprint];
        const list = lists.get(all.join()) ?? all;
        lists.set(all.join(), list);
        byDevice.set(deviceKey(device), list);
      }
    },
    receiver(device: DeviceId, fingerprint: string, now: number): Receiver | undefined {
      const { until = 0 } = latest.get(about(device, fingerprint)) ?? {};
      return now <= until ? receivers.get(fingerprint) : undefined;
    },
  };
}
