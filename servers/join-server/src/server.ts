/**
 * The join-server: joins (TS002), nonces, devices. Every key it stores is a blob or an envelope that it cannot open; every operation with a
 * key is a question to its vault.
 */
import { vaultClient } from "@trefoil/custody";
import { type Context, type Definition, describeError, listenHttps, rateLimited } from "@trefoil/service";
import { Counter, Histogram } from "prom-client";
import { Audit } from "./audit.ts";
import { addRoutes } from "./devices/admin.ts";
import { Registry } from "./devices/registry.ts";
import { bodyLimit, interop, type OnOutcome } from "./interop.ts";
import { outcomes } from "./join/outcomes.ts";
import { readNetworks, speakingFor } from "./networks.ts";
import { type Statement, schema } from "./schema.ts";
import { Turns } from "./turns.ts";

type JoinServer = Context<"join-server", Statement, undefined>;

export const joinServer: Definition<"join-server", Statement> = {
  role: "join-server",
  store: schema,
  async start(ctx) {
    const vault = watchedVault(ctx);
    const registry = new Registry(ctx.store);
    const audit = new Audit(ctx.store);
    const turns = new Turns();
    const log = rateLimited(ctx.log);
    const ports = { registry, audit, vault, turns };
    addRoutes(ctx.admin, ports);
    ctx.fact("devices", () => registry.count);

    const peers = [...speakingFor(ctx.tls.peers, ctx.config.network.netId), ...readNetworks(ctx.dataDir)];
    const onFault = (fault: unknown, devEui: string) =>
      log.error({ devEui, err: describeError(fault) }, "a join failed");
    const answer = interop({ ...ports, onFault }, outcomeObserver(ctx));
    const seconds = new Histogram({
      name: "trefoil_join_seconds",
      help: "From a JoinReq to its answer",
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers: [ctx.metrics],
    });
    const listener = await listenHttps(
      { role: ctx.role, log: ctx.log, metrics: ctx.metrics, tls: { ...ctx.tls, peers } },
      {
        address: ctx.config.interop,
        from: ["network-server"],
        bodyLimit,
        handler: async (request) => {
          const end = seconds.startTimer();
          try {
            return await answer(request);
          } finally {
            end();
          }
        },
      },
    );
    ctx.listening("interop", listener.address);
    ctx.onStop(() => listener.close());
  },
};

/** The vault's client, fed with each pipe that the supervisor hands over. Without one the server is not ready and joins fail closed. */
function watchedVault(ctx: JoinServer) {
  const vault = vaultClient();
  let engine = "not connected";
  ctx.onVaultPipe((pipe) => {
    vault.attach(pipe);
    vault.info({}).then(
      (info) => {
        engine = info.engine;
        ctx.log.info({ engine, fingerprint: info.fingerprint }, "the vault is connected");
      },
      (error) => ctx.log.warn({ err: describeError(error) }, "the vault does not answer"),
    );
  });
  ctx.readiness("vault", () => (vault.connected ? undefined : "the vault is not connected: no device can join"));
  ctx.fact("vault", () => (vault.connected ? engine : "not connected"));
  ctx.onStop(() => vault.close());
  return vault;
}

/** Each outcome is counted; what somebody should know of is logged. */
function outcomeObserver(ctx: JoinServer): OnOutcome {
  const joins = new Counter({
    name: "trefoil_joins_total",
    help: "JoinReqs by outcome",
    labelNames: ["outcome"],
    registers: [ctx.metrics],
  });
  for (const outcome of Object.keys(outcomes)) joins.inc({ outcome }, 0);
  const log = rateLimited(ctx.log);
  return ({ outcome, devEui }, peer) => {
    joins.inc({ outcome });
    const fields = { outcome, peer: peer.slice(0, 16), ...(devEui === undefined ? {} : { devEui }) };
    if (outcomes[outcome] === "Success") ctx.log.debug(fields, "a device joined");
    else log.warn(fields, "a join was refused");
  };
}
