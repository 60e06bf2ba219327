/**
 * The vault as this server sees it: its processes' pipes, the owner's statements that it keeps, and whether joins may be served: not before
 * its audit log was asked for nonces that this store may have lost.
 */
import { type Vault, vaultPool } from "@trefoil/custody";
import { type Context, describeError, Fault } from "@trefoil/service";
import type { Statement, VaultInfo } from "@trefoil/wire";
import { type AnchorPorts, takeInLostNonces } from "./anchor.ts";
import type { Statement as Hot } from "./schema.ts";
import { Standing } from "./standing.ts";

type JoinServer = Context<"join-server", Hot, undefined>;
export type Custody = ReturnType<typeof watchVault>;

export function watchVault(ctx: JoinServer, ports: AnchorPorts) {
  const pool = vaultPool();
  let standing: Standing | undefined;
  /** While all of them are read. */
  let admittedMeanwhile: Statement[] | undefined;
  let info: VaultInfo | undefined;
  /** Whether the vault's audit log was read. Once is enough: whatever is written since, was asked by this server. */
  let isReady = false;

  const problem = (): string | undefined => {
    if (!pool.connected) return "the vault is not connected: no device can join";
    if (standing === undefined) return "the owner's statements were not read yet: no device can join";
    return isReady ? undefined : "the vault's audit log was not read yet: no device can join";
  };
  async function readStatements(vault: Vault): Promise<void> {
    info = await vault.info({});
    admittedMeanwhile = [];
    const read = Standing.of(await pool.statements({}));
    for (const statement of admittedMeanwhile) read.take(statement);
    admittedMeanwhile = undefined;
    standing = read;
    const { engine, fingerprint } = info;
    ctx.log.info({ engine, fingerprint, peers: standing.peerCount }, "the vault is connected");
  }

  /** The first process answers for all of them: it takes the statements in, and reads every chain of the log. */
  async function meetFirst(): Promise<void> {
    const lost = isReady ? 0 : await takeInLostNonces(pool, ports);
    if (lost > 0) ctx.log.warn({ joins: lost }, "this store is older than the vault: lost nonces were taken in");
    isReady = true;
    await readStatements(pool);
  }

  let latest: object | undefined;
  ctx.onVaultPipe((pipe, instance) => {
    pool.attach(instance, pipe);
    if (instance !== 0) return;
    latest = pipe;
    const again = (error: unknown): void => {
      if (latest !== pipe || closed) return;
      ctx.log.warn({ err: describeError(error) }, "the vault does not answer");
      setTimeout(() => {
        if (latest === pipe && !closed) meetFirst().catch(again);
      }, 1_000).unref();
    };
    meetFirst().catch(again);
  });
  let closed = false;
  ctx.onStop(() => {
    closed = true;
    pool.close();
  });
  ctx.readiness("vault", problem);
  const engine = () => (pool.connected ? (info?.engine ?? "not known yet") : "not connected");
  ctx.fact("vault", engine);
  ctx.healthNote("vault", () =>
    engine() === "software" ? "software: keys are in the vault's process, not in a hardware token" : engine(),
  );

  return {
    pool,
    /** The owner's statements. Without them nobody is known. */
    standing: () => standing ?? nobody,
    /** The same, or a fault where they were not read yet. */
    known(): Standing {
      if (standing === undefined)
        throw new Fault("vault/not-ready", "the owner's statements were not read yet", { retry: "later" });
      return standing;
    },
    /** The vault has admitted one more. */
    admitted(statement: Statement): void {
      standing?.take(statement);
      admittedMeanwhile?.push(statement);
    },
    /** A Vault for joins: fails as one that is not there until joins may be served. */
    serving: {
      join: (body: Parameters<typeof pool.join>[0]) => (isReady ? pool.join(body) : notReady()),
      rejoin: (body: Parameters<typeof pool.rejoin>[0]) => (isReady ? pool.rejoin(body) : notReady()),
    },
  };
}

const nobody = new Standing();
const notReady = () =>
  Promise.reject(new Fault("vault/not-ready", "the vault is not ready for joins yet", { retry: "later" }));
