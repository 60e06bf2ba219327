/**
 * The vault as this server sees it: its processes' pipes, the owner's statements that it keeps, and whether joins may be served: not before
 * every process that is there, or that this store has heard of, was asked for nonces that the store may have lost.
 */
import { type Vault, vaultPool } from "@trefoil/custody";
import { type Context, describeError, Fault } from "@trefoil/service";
import type { Statement, VaultInfo } from "@trefoil/wire";
import { type AnchorPorts, takeInLostNonces } from "./anchor.ts";
import type { Statement as Hot } from "./schema.ts";
import { Standing } from "./standing.ts";

/** A process of the vault that this store has heard of may be gone for good: configured away. */
const longestWaitForKnownMs = 10_000;

type JoinServer = Context<"join-server", Hot, undefined>;
export type Custody = ReturnType<typeof watchVault>;

export function watchVault(ctx: JoinServer, ports: AnchorPorts) {
  const pool = vaultPool();
  let standing: Standing | undefined;
  /** While all of them are read. */
  let admittedMeanwhile: Statement[] | undefined;
  let info: VaultInfo | undefined;
  const anchoring = new Set<object>();
  const anchored = new Set<number>();
  let startedAt: number | undefined;

  const isAnchored = () => {
    if (anchored.size === 0 || anchoring.size > 0) return false;
    const waited = performance.now() - (startedAt ?? Number.POSITIVE_INFINITY);
    return waited > longestWaitForKnownMs || ports.registry.knownInstances.every((instance) => anchored.has(instance));
  };
  const problem = (): string | undefined => {
    if (!pool.connected) return "the vault is not connected: no device can join";
    if (standing === undefined) return "the owner's statements were not read yet: no device can join";
    return isReady() ? undefined : "the vault's audit log was not read yet: no device can join";
  };
  // Once it is so it stays so: asked at every join.
  let ready = false;
  const isReady = () => {
    if (anchoring.size > 0) return false;
    ready ||= isAnchored();
    return ready;
  };

  async function anchor(instance: number, vault: Vault): Promise<void> {
    const lost = await takeInLostNonces(instance, vault, ports);
    if (lost > 0)
      ctx.log.warn({ instance, joins: lost }, "this store is older than the vault: lost nonces were taken in");
    anchored.add(instance);
  }

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

  async function meet(instance: number, turn: object): Promise<void> {
    const vault = pool.each().find((each) => each.instance === instance)?.vault;
    if (vault === undefined) return;
    if (anchoring.has(turn)) await anchor(instance, vault);
    anchoring.delete(turn);
    if (instance === 0) await readStatements(vault);
  }

  const turns = new Map<number, object>();
  ctx.onVaultPipe((pipe, instance) => {
    const turn = {};
    const former = turns.get(instance);
    if (former) anchoring.delete(former);
    turns.set(instance, turn);
    // Once is enough: since then whatever it answered was asked by this store's own server.
    if (!anchored.has(instance)) anchoring.add(turn);
    startedAt ??= performance.now();
    // One that is gone again holds nothing up: it will be asked when it is back.
    pipe.once("close", () => anchoring.delete(turn));
    pool.attach(instance, pipe);
    const again = (error: unknown): void => {
      if (turns.get(instance) !== turn || closed) return;
      ctx.log.warn({ instance, err: describeError(error) }, "the vault does not answer");
      setTimeout(() => {
        if (turns.get(instance) === turn && !closed) meet(instance, turn).catch(again);
      }, 1_000).unref();
    };
    meet(instance, turn).catch(again);
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
      join: (body: Parameters<typeof pool.join>[0]) => (isReady() ? pool.join(body) : notReady()),
      rejoin: (body: Parameters<typeof pool.rejoin>[0]) => (isReady() ? pool.rejoin(body) : notReady()),
    },
  };
}

const nobody = new Standing();
const notReady = () =>
  Promise.reject(new Fault("vault/not-ready", "the vault is not ready for joins yet", { retry: "later" }));
