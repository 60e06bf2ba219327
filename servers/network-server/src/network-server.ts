/** The network-server: what it is made of, and how the parts are joined. */
import type { KekRing } from "@trefoil/custody";
import { devAddrRange, parseNetId, regionParameters } from "@trefoil/lorawan";
import {
  type Context,
  connectJoinServers,
  connectLink,
  type Definition,
  Fault,
  type JoinServer,
  listenLink,
  type Method,
  type NetworkServerConfig,
  rateLimited,
} from "@trefoil/service";
import type { Address, Role, Transmit, Transmitted } from "@trefoil/wire";
import { Registry } from "./devices/registry.ts";
import { addDeviceRoutes } from "./devices/routes.ts";
import { OpenDownlinks } from "./downlink/open-downlinks.ts";
import { Reservations } from "./downlink/reservations.ts";
import { resumeDownlinks } from "./downlink/resume.ts";
import { Joins } from "./join/joins.ts";
import { makeMetrics } from "./metrics.ts";
import { Outbox } from "./outbox/outbox.ts";
import { Sender, senderDefaults } from "./outbox/sender.ts";
import { type HotStatement, store as storeDefinition } from "./schema.ts";
import { readSecrets } from "./secrets.ts";
import { loadSessions, rereadCounters } from "./sessions/load.ts";
import type { State } from "./state.ts";
import type { Batch } from "./uplink/batch.ts";
import { Gateways } from "./uplink/gateways.ts";
import { Intake } from "./uplink/intake.ts";
import { processFrames } from "./uplink/process.ts";

type Ctx = Context<"network-server", HotStatement, undefined>;

/** The body's form is judged by the handler, which parses it. */
const asking = (handle: (body: unknown) => unknown): Method => ({ check: () => undefined, handle });

export const networkServer: Definition<"network-server", HotStatement> = {
  role: "network-server",
  store: storeDefinition,
  async start(ctx: Ctx) {
    const { config, store } = ctx;
    // Strangers cause most of what is said here.
    const log = rateLimited(ctx.log);
    const netId = parseNetId(config.network.netId);
    if (netId === undefined) throw new Fault("config/net-id", "network.netId is no NetID", { retry: "never" });
    const { allowUnverifiedRegion } = config.network;
    const isRegion = (name: string) => "region" in regionParameters(name, { allowUnverified: allowUnverifiedRegion });
    checkRegion(config.network);
    const secrets = readSecrets(ctx.dataDir);

    const metrics = makeMetrics(ctx.metrics);
    const gateways = new Gateways();
    const { sessions, highest } = loadSessions(store);
    const registry = new Registry(store, highest);
    const range = devAddrRange(netId);

    const sender = new Sender(
      store,
      {
        send: ({ sequence, events }) => toApplication.request("events", { sequence, events }),
        failed: (error) => log.warn({ err: error }, "events could not be handed over"),
        quarantined: ({ devEui, is, id }, code) => {
          metrics.quarantined.inc({ is });
          log.error({ devEui, is, id, code }, "the application-server refuses an event for good: it was put aside");
        },
      },
      { ...senderDefaults, keepEvents: config.keepEvents },
    );
    const outbox = new Outbox(store, (batch) => sender.add(batch));
    const state: State = {
      sessions,
      downlinks: new OpenDownlinks(),
      gateways,
      metrics,
      log,
      now: Date.now,
      isOurs: (devAddr) => devAddr >= range.first && devAddr <= range.last,
      transmit: (transmit, timeoutMs) => toGateways(transmit, timeoutMs),
      commit: (batch) => batch.commit(outbox),
      rereadCounters: (sessionIds) => rereadCounters(store, sessions, sessionIds),
      commitSurely: (batch) => commitSurely(batch, outbox, log),
    };
    await resumeDownlinks(store, state);

    const joinServers = connectJoinServers(ctx, peer(ctx, "join-server"), config.joinServers);
    ctx.onStop(() => joinServers.close());
    const joins = new Joins({
      state,
      registry,
      netId,
      nsId: config.network.nsId?.toLowerCase(),
      rxDelay: config.rxDelay,
      keks: secrets.keks,
      joinServer: (joinEui) => joinServers.of(joinEui) as JoinServer,
    });

    const reservations = new Reservations(state, registry);
    ctx.onStop(() => sender.close());
    const toApplication = connectLink(ctx, {
      to: "application-server",
      address: peer(ctx, "application-server"),
      methods: {
        "downlink.reserve": asking((body) => reservations.reserve(body)),
        "downlink.offer": asking((body) => reservations.offer(body)),
        "downlink.withdraw": asking((body) => reservations.withdraw(body)),
      },
    });
    ctx.onStop(() => toApplication.close());
    toApplication.onUp((link) => {
      sender.up();
      void link.closed.then(() => sender.down());
    });
    ctx.readiness("application-server", () => (toApplication.up ? undefined : "no link: events wait"));

    const intake = new Intake(
      { windowMs: config.deduplicationWindowMs, lateMs: lateMs(config), tickMs },
      (frames) => processFrames(frames, state, (request) => joins.take(request)),
      metrics,
    );
    const listener = await listenLink(ctx, {
      address: config.link,
      from: {
        "gateway-server": {
          uplinks: asking((body) => intake.take(body)),
          gateways: asking((body) => {
            if (!gateways.update(body))
              throw new Fault("link/invalid-body", "a list of gateways is wanted", { retry: "never" });
            return {};
          }),
        },
      },
    });
    const toGateways = async (transmit: Transmit, timeoutMs: number): Promise<Transmitted> => {
      const link = listener.link("gateway-server");
      if (!link) throw new Fault("link/down", "there is no link to the gateway-server at the moment");
      return link.request<Transmitted>("transmit", transmit, { timeoutMs });
    };
    ctx.listening("link", listener.address);
    // The last one registered is the first one run: what was taken is finished, then the links close.
    ctx.onStop(() => listener.close());
    ctx.onStop(() => intake.close());

    addKekRoute(ctx, secrets.keks);
    addDeviceRoutes(ctx.admin, { state, registry, opener: secrets.opener, isRegion }, secrets.published);
    metrics.gauges({
      sessions: () => sessions.table.size,
      gateways_connected: () => gateways.connected,
      frames_open: () => intake.frames,
      store_rows_waiting: () => store.waitingRows,
      outbox_batches_waiting: () => sender.waiting,
      downlinks_open: () => state.downlinks.size,
      joins_in_flight: () => joins.inFlight,
    });
    ctx.fact("sessions", () => sessions.table.size);
    ctx.fact("devices", () => registry.size);
    ctx.fact("uplinksAccepted", () => metrics.count("uplink/accepted"));
    ctx.fact("eventsWaiting", () => sender.waiting);
    ctx.log.info({ sessions: sessions.table.size }, "sessions loaded");
  },
};

/** The owner has a statement to sign about the answer; until the vault goes over to the new KEK, and after it, the former ones open. */
function addKekRoute({ admin, log }: Ctx, keks: KekRing): void {
  const drop = () => {
    for (const label of keks.drop()) log.info({ label }, "a KEK that nobody uses any more was dropped");
  };
  drop();
  admin.post("/kek", async () => {
    drop();
    const made = keks.make();
    log.info({ label: made.label }, "a new KEK was made, for the owner to sign");
    return made;
  });
}

/** All frames whose window ended in the same 20 ms are one transaction. */
const tickMs = 20;
/** A device repeats a frame after its RX2 at the earliest: later copies of one transmission come sooner. */
const lateMs = ({ deduplicationWindowMs }: NetworkServerConfig) => Math.max(1_500 - deduplicationWindowMs, 0);

function checkRegion({ region, allowUnverifiedRegion }: NetworkServerConfig["network"]): void {
  const choice = regionParameters(region, { allowUnverified: allowUnverifiedRegion });
  if ("region" in choice) return;
  const why =
    choice.refused === "region/unknown"
      ? `there is no region ${region}`
      : `values of ${region} are not verified (${choice.unverified.map(({ field }) => field).join(", ")}): set network.allowUnverifiedRegion to use it`;
  throw new Fault(choice.refused, why, { retry: "never" });
}

function peer(ctx: Ctx, role: Role): Address {
  const address = ctx.peers[role];
  if (!address) throw new Fault("start/no-peer", `nobody said where the ${role} listens`);
  return address;
}

const retryMs = 1_000;
async function commitSurely(batch: Batch, outbox: Outbox, log: State["log"]): Promise<void> {
  for (;;) {
    try {
      return await batch.commit(outbox);
    } catch (error) {
      const { retry } = error as Partial<Fault>;
      log.error({ err: error }, "the fate of a downlink could not be stored");
      if (retry === "never") return;
      await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
    }
  }
}
