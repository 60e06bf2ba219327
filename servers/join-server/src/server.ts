/**
 * The join-server: joins (TS002), nonces, devices. Every key it stores is a blob or an envelope that it cannot open; every operation with a
 * key is a question to its vault. It needs no other server.
 */
import { type Context, type Definition, describeError, listenHttps, rateLimited } from "@trefoil/service";
import { Counter, Histogram } from "prom-client";
import { Audit } from "./audit.ts";
import { watchVault } from "./custody.ts";
import { addDeviceRoutes } from "./devices/admin.ts";
import { Registry } from "./devices/registry.ts";
import { bodyLimit, interop, type OnOutcome } from "./interop/answer.ts";
import { answersLater } from "./interop/later.ts";
import { limiter } from "./interop/limits.ts";
import { outcomes, rowOf } from "./outcomes.ts";
import { takeInRestore } from "./restored.ts";
import { type Statement, schema } from "./schema.ts";
import type { Peer } from "./standing.ts";
import { addStatementRoutes } from "./statements.ts";
import { Turns } from "./turns.ts";

type JoinServer = Context<"join-server", Statement, undefined>;

export const joinServer: Definition<"join-server", Statement> = {
  role: "join-server",
  store: schema,
  async start(ctx) {
    const log = rateLimited(ctx.log);
    const registry = new Registry(ctx.store);
    const audit = new Audit(ctx.store, (fault) =>
      log.error({ err: describeError(fault) }, "an audit row was not written"),
    );
    const jumped = await takeInRestore(ctx.dataDir, { store: ctx.store, registry, audit });
    if (jumped !== undefined)
      ctx.log.warn({ jumpJoinNonce: jumped }, "a backup was put back: every JoinNonce has jumped");
    const turns = new Turns();
    const custody = watchVault(ctx, { store: ctx.store, registry, audit });
    const { pool, standing, known, admitted, serving } = custody;
    addDeviceRoutes(ctx.admin, { registry, audit, turns, vault: pool, standing });
    addStatementRoutes(ctx.admin, { registry, audit, vault: pool, standing, known, admitted });
    ctx.fact("devices", () => registry.count);
    ctx.fact("peers", () => standing().peerCount);

    const later = laterAnswers(ctx);
    const { handle, tooLarge } = interop(
      {
        ...{ registry, audit, turns, standing, vault: serving, limits: limiter(ctx.config.limits) },
        onFault: (fault, devEui) => log.error({ devEui, err: describeError(fault) }, "a join failed"),
        postLater: later.post,
      },
      outcomeObserver(ctx),
    );
    const seconds = new Histogram({
      name: "trefoil_join_seconds",
      help: "From a JoinReq to its answer",
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers: [ctx.metrics],
    });
    const listener = await listenHttps<Peer>(ctx, {
      address: ctx.config.interop,
      callerOf: (fingerprint) => standing().peerOf(fingerprint),
      bodyLimit,
      tooLarge,
      onRefused: (reason, fingerprint) =>
        audit.note("interop/unknown-peer", null, { reason, fingerprint: fingerprint ?? "none" }),
      handler: async (request) => {
        const end = seconds.startTimer();
        try {
          return await handle(request);
        } finally {
          end();
        }
      },
    });
    ctx.listening("interop", listener.address);
    ctx.onStop(() => listener.close());
  },
};

function laterAnswers(ctx: JoinServer) {
  const fates = new Counter({
    name: "trefoil_interop_answers_total",
    help: "Answers posted to peers, by what became of them",
    labelNames: ["fate"],
    registers: [ctx.metrics],
  });
  const log = rateLimited(ctx.log);
  const later = answersLater(ctx, {
    onFate: (fate, { name }, fault) => {
      fates.inc({ fate });
      if (fate !== "taken")
        log.warn(
          { peer: name, fate, ...(fault === undefined ? {} : { err: describeError(fault) }) },
          "an answer did not reach its peer",
        );
    },
  });
  ctx.onStop(later.close);
  return later;
}

/** Each outcome is counted; what somebody should know of is logged. */
function outcomeObserver(ctx: JoinServer): OnOutcome {
  const joins = new Counter({
    name: "trefoil_joins_total",
    help: "Messages of Backend Interfaces by outcome",
    labelNames: ["outcome"],
    registers: [ctx.metrics],
  });
  for (const outcome of Object.keys(outcomes)) joins.inc({ outcome }, 0);
  const log = rateLimited(ctx.log);
  return ({ outcome, devEui }, { name }) => {
    joins.inc({ outcome });
    const fields = { outcome, peer: name, ...(devEui === undefined ? {} : { devEui }) };
    if (rowOf(outcome).code === "Success") ctx.log.debug(fields, "a request was answered");
    else log.warn(fields, "a request was refused");
  };
}
