/** What may be asked of a vault: one row per method of the port, with the check of what comes in. The same for every engine. */
import type { AuditEvent, VaultAnswer, VaultJoined, VaultMethod, VaultMethods } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { Provenance } from "@trefoil/wire";
import { chainsOf, usesAfter } from "./audit-log/segments.ts";
import type { AuditLog } from "./audit-log/writer.ts";
import { HeldKeys } from "./held-keys.ts";
import { type Answered, join, rejoin } from "./join.ts";
import { exportRootKeys, exposureOf } from "./leaving.ts";
import {
  type Parser,
  parseEmpty,
  parseExport,
  parseExposure,
  parseImports,
  parseJoin,
  parsePage,
  parseRejoin,
  parseSigned,
  parseUsesSince,
} from "./parse.ts";
import { importRootKeys, type Keys } from "./root-keys.ts";
import { selfTest } from "./self-test.ts";
import { openStatements } from "./statements/statements.ts";
import type { Token } from "./token.ts";

type Operation<Method extends VaultMethod> = (body: unknown) => VaultMethods[Method]["answer"] | undefined;
export type Operations = { readonly [Method in VaultMethod]: Operation<Method> };

export type Core<H> = {
  readonly token: Token<H>;
  readonly dataDir: string;
  readonly log: AuditLog;
  readonly clock?: () => number;
};

const mostUses = 1_000;

/** Opens the statements, tests the keys, and answers. Throws a Fault when the vault's files are not its own work. */
export function operations<H>({ token, dataDir, log, clock = Date.now }: Core<H>): Operations {
  const held = new HeldKeys(token);
  const statements = openStatements(dataDir, token, held, { clock, isFirst: log.instance === 0 });
  const { table } = statements;
  const keys: Keys<H> = { token, held, table };
  const damaged = selfTest(keys, dataDir);
  log.append({ event: "self-test", damaged });
  const startedAt = clock();
  const { instance } = log;
  let joins = 0;
  const saidBehind = new Set<number>();

  /** Statements and handles as they are now, before anything is decided by them. */
  const on =
    <T, A>(parse: Parser<T>, operation: (body: T) => A) =>
    (body: unknown): A | undefined => {
      const parsed = parse(body);
      if (parsed === undefined) return undefined;
      held.sync();
      if (instance !== 0) statements.refresh();
      return operation(parsed);
    };
  const record = <T>({ outcome, event }: { readonly outcome: T; readonly event: AuditEvent }): T => {
    log.append(event);
    return outcome;
  };
  const joined = (answered: Answered): VaultJoined => {
    const use = answered.event === undefined ? undefined : log.append(answered.event);
    if ("fault" in answered) throw answered.fault;
    const { outcome } = answered;
    if (outcome.result === "refused") return outcome;
    if (use === undefined) throw new TypeError("a join without an entry of the audit log");
    joins += 1;
    return { ...outcome, use };
  };

  return {
    info: on(parseEmpty, () => ({ engine: token.engine, ...token.published, auditKey: token.auditPublicKey })),
    status: on(parseEmpty, () => {
      const fault = token.fault();
      return {
        instance,
        engine: token.engine,
        place: token.place,
        ...(fault === undefined ? {} : { fault }),
        damaged: [...new Set([...token.damaged, ...damaged])],
        startedAt,
        joins,
        handles: token.handles() - held.count,
        auditEntry: log.last,
        chains: chainsOf(dataDir),
      };
    }),
    statements: on(parsePage, ({ after }) => statements.page(after)),
    admit: on(parseSigned, (signed) => {
      if (instance !== 0)
        throw new Fault("vault/not-the-first", "statements are taken in by the vault's first process", {
          retry: "never",
        });
      return record(statements.admit(signed));
    }),
    importRootKeys: on(parseImports, (rows) =>
      rows.map((row) => {
        if (row === undefined) return { result: "refused", code: "vault/malformed" } as const;
        const outcome = importRootKeys(keys, row);
        const { devEui, joinEui } = row;
        const about: { roles: readonly string[]; provenance: Provenance } | undefined =
          outcome.result === "imported"
            ? { roles: Object.keys(outcome.blobs), provenance: outcome.provenance }
            : undefined;
        const result = outcome.result === "imported" ? outcome.result : outcome.code;
        return record({ outcome, event: { event: "import", result, devEui, joinEui, ...about } });
      }),
    ),
    join: on(parseJoin, (body) => joined(join(keys, body, clock()))),
    rejoin: on(parseRejoin, (body) => joined(rejoin(keys, body, clock()))),
    exportRootKeys: on(parseExport, (body) => {
      const outcome = exportRootKeys(keys, body, clock());
      const result = outcome.result === "exported" ? outcome.result : outcome.code;
      return record({ outcome, event: { event: "export", result, ...body.device, to: body.to } });
    }),
    usesSince: on(parseUsesSince, (since) => {
      const found = usesAfter(dataDir, since, mostUses);
      if (!found.isKnown && !saidBehind.has(since.instance)) {
        saidBehind.add(since.instance);
        log.append({ event: "behind", chain: since.instance, known: since.entry });
      }
      return found;
    }),
    exposure: on(parseExposure, (rows) => exposureOf(keys, rows)),
  };
}

/** Answers one request. What is no request at all is `undefined`: whoever sent it is not our join server. */
export function answer(
  all: Operations,
  value: unknown,
  onError: (method: string, error: unknown) => void,
): VaultAnswer | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, method, body } = value as { readonly [name: string]: unknown };
  if (typeof id !== "number" || typeof method !== "string") return undefined;
  if (!Object.hasOwn(all, method)) return { id, fault: "vault/unknown-method", retry: "never" };
  try {
    const result = all[method as VaultMethod](body);
    return result === undefined ? { id, fault: "vault/malformed", retry: "never" } : { id, answer: result };
  } catch (error) {
    onError(method, error);
    return error instanceof Fault
      ? { id, fault: error.code, retry: error.retry }
      : { id, fault: "vault/failed", retry: "later" };
  }
}
