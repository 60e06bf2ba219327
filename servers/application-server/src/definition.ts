/** The application-server, put together: the network-server's link in, MQTT out, downlinks the other way. */
import type { KekRing } from "@trefoil/custody";
import {
  type Context,
  connectJoinServers,
  type Definition,
  describeError,
  type LinkListener,
  listenLink,
  rateLimited,
} from "@trefoil/service";
import type { Store } from "@trefoil/store";
import { Applications } from "./admin/applications.ts";
import { Devices } from "./admin/devices.ts";
import { addRoutes } from "./admin/routes.ts";
import { rewrapAtRest } from "./devices/at-rest.ts";
import { KeyAsker } from "./devices/key-asker.ts";
import { loadDevices } from "./devices/load.ts";
import { SessionBook } from "./devices/session-book.ts";
import { takeDownlinks } from "./downlink/publisher.ts";
import { DownlinkQueue } from "./downlink/queue.ts";
import { type Ask, Sender } from "./downlink/sender.ts";
import { readKeys } from "./keys.ts";
import { EventLog } from "./log/event-log.ts";
import { Intake } from "./log/intake.ts";
import { makeRenderer } from "./log/render.ts";
import { Unread } from "./log/unread.ts";
import { openMetrics } from "./metrics.ts";
import { openBroker } from "./mqtt/broker.ts";
import { Credentials } from "./mqtt/passwords.ts";
import { MqttSessions } from "./mqtt/sessions.ts";
import { type HotStatement, store as storeDefinition } from "./schema.ts";

type Ctx = Context<"application-server", HotStatement, undefined>;

const cursorsEveryMs = 200;
const pruneEveryMs = 1_000;

export const definition: Definition<"application-server", HotStatement> = {
  role: "application-server",
  store: storeDefinition,
  start,
};

async function start(ctx: Ctx): Promise<void> {
  const { store, config } = ctx;
  const say = rateLimited(ctx.log);
  const keys = readKeys(ctx.dataDir);
  const metrics = openMetrics(ctx.metrics);

  const applications = new Applications(store);
  const applicationId = (application: number) => applications.idOf(application);
  const devices = loadDevices(store);
  await overToNewest(ctx, keys.keks);
  const sessions = new SessionBook(devices, store, keys.keks);
  const queue = new DownlinkQueue(store);
  const { open, render } = makeRenderer({
    devices,
    applicationId,
    appSKey: (device, sessionKeyId) => sessions.schedule(device, sessionKeyId),
    downlink: (queueId) => queue.content(queueId),
    netId: config.network.netId,
    unreadable: () => metrics.unreadable.inc(),
    unrenderable: ({ is, devEui }, error) => {
      metrics.unrenderable.inc();
      say.error({ is, devEui, err: describeError(error) }, "an event could not be made a message: it is passed over");
    },
  });
  const readerFailed = (error: unknown) => {
    metrics.readerFailures.inc();
    say.error({ err: describeError(error) }, "a reader of the log failed");
  };
  const log = new EventLog(store, open, { keepEvents: config.keepEvents, readerFailed });
  const unread = new Unread(store, log);

  const mqttSessions = new MqttSessions(
    {
      log,
      render,
      deviceId: (device) => devices.deviceId(device),
      metrics,
      applicationId,
      failed: readerFailed,
      fellBehind: ({ application, clientId }) => {
        metrics.fellBehind.inc();
        say.warn(
          { application: applicationId(application), clientId },
          "an MQTT session missed events that were pruned",
        );
      },
    },
    store,
  );
  log.onEntry(() => mqttSessions.pump());

  let link: LinkListener | undefined;
  const ask = (): Ask | undefined => {
    const network = link?.link("network-server");
    return network && ((method, body) => network.request(method, body));
  };
  const sender = new Sender({ queue, devices, sessions, store, log, metrics, say, ask });
  const publishing = { queue, sender, log, metrics };
  keepUp(ctx, mqttSessions, log, sender);

  const credentials = new Credentials((id) => applications.byId(id)?.secret);
  const broker = await openBroker(
    {
      sessions: mqttSessions,
      credentials,
      metrics,
      say,
      application: (id) => applications.byId(id)?.application,
      applicationId,
      push: async (application, deviceId, what, message) => {
        const target = findDevice(store, application, deviceId);
        if (target === undefined) return "mqtt/unknown-device";
        return takeDownlinks(publishing, target, what, message);
      },
    },
    config.mqtt,
  );
  ctx.onStop(() => broker.close());
  ctx.listening("mqtt", broker.address);

  const joinServers = connectJoinServers(ctx, ctx.peers["join-server"], config.joinServers);
  const asker = new KeyAsker({
    store,
    devices,
    sessions,
    joinServer: joinServers.of,
    asId: config.network.asId,
    metrics,
    say,
    came: async (device, sessionKeyId) => {
      await unread.release(device, sessionKeyId);
      sender.advance(device);
    },
  });
  asker.resume();
  ctx.onStop(() => {
    asker.close();
    joinServers.close();
  });
  const intake = new Intake({
    devices,
    sessions,
    log,
    unread,
    queue,
    metrics,
    say,
    keyWanted: (wanted) => asker.want(wanted),
    stirred: (device) => sender.advance(device),
  });
  link = await listenLink(ctx, {
    address: config.link,
    from: { "network-server": intake.methods },
    onLink: () => sender.advanceAll(),
  });
  ctx.onStop(() => link?.close());
  ctx.listening("link", link.address);

  addRoutes(ctx.admin, {
    store,
    applications,
    devices: new Devices({ store, applications, devices, sessions, queue, unread, opener: keys.opener }),
    sealingKey: keys.sealingKey,
    makeKek: async () => {
      const made = keys.keks.make();
      ctx.log.info({ label: made.label }, "a new KEK was made, for the owner to sign");
      await overToNewest(ctx, keys.keks);
      return made;
    },
    dismiss: async ({ application, applicationId: id }) => {
      credentials.forget(id);
      broker.dismiss(application);
      await store.commit(mqttSessions.forgetApplication(application));
    },
  });
  metrics.observe({
    devices: () => devices.size,
    sessions: () => sessions.size,
    downlinks: () => queue.size,
    unread: () => unread.size,
    wanted: () => asker.size,
    logEvents: () => log.events,
    lags: () => lagsOf(mqttSessions, log, applicationId),
  });
  ctx.readiness("network-server", () =>
    link?.link("network-server") ? undefined : "the network-server is not connected",
  );
  ctx.fact("applications", () => applications.all().length);
  ctx.fact("devices", () => devices.size);
  ctx.fact("sessionsWithoutKey", () => asker.size);
  ctx.fact("mqttClients", () => broker.connections);
  ctx.fact("sealingKey", () => keys.sealingKey.fingerprint);
}

/** What is at rest goes under the newest KEK; a former one goes when nobody needs it any more. */
async function overToNewest({ store, log }: Ctx, keks: KekRing): Promise<void> {
  if (keks.all.length === 1) return;
  const left = await rewrapAtRest(store, keks);
  for (const label of keks.drop((each) => left.has(each)))
    log.info({ label }, "a KEK that nobody uses any more was dropped");
}

/** Cursors and pruning, now and then; the last cursors when it ends, after the last client has gone. */
function keepUp(ctx: Ctx, sessions: MqttSessions, log: EventLog, sender: Sender): void {
  const say = rateLimited(ctx.log);
  const every = (ms: number, work: () => Promise<void>, failed: string) =>
    setInterval(() => void work().catch((error) => say.error({ err: describeError(error) }, failed)), ms);
  const timers = [
    every(cursorsEveryMs, () => sessions.writeCursors(), "the cursors of MQTT sessions could not be written"),
    every(pruneEveryMs, () => log.prune(), "old events could not be pruned"),
  ];
  ctx.onStop(async () => {
    for (const timer of timers) clearInterval(timer);
    sender.close();
    await sessions.writeCursors();
  });
}

function findDevice(store: Store<HotStatement>, application: number, deviceId: string) {
  type Row = { readonly device: number; readonly dev_eui: string };
  const row = store
    .read<Row>("SELECT device, dev_eui FROM device WHERE application = ? AND device_id = ?")
    .get(application, deviceId);
  return row === undefined ? undefined : { device: row.device, devEui: row.dev_eui };
}

function* lagsOf(sessions: MqttSessions, log: EventLog, applicationId: (application: number) => string | undefined) {
  for (const { application, clientId, cursor } of sessions.all()) {
    const batches = Math.max(0, log.end - cursor.position);
    yield { application: applicationId(application) ?? "", client: clientId, batches };
  }
}
