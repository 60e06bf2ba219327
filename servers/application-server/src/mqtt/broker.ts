/**
 * The MQTT 3.1.1 broker: aedes speaks the protocol, we decide. Who may come in (applications with their password), which filters are
 * allowed, where a publish goes (a device's downlink queue or nowhere), and what is sent (sessions read the log).
 */
import { createServer, type Socket } from "node:net";
import { type Limited, listening } from "@trefoil/service";
import type { Address } from "@trefoil/wire";
import { Aedes, type Client } from "aedes";
import type { Metrics } from "../metrics.ts";
import { parseFilter } from "./filters.ts";
import type { Credentials } from "./passwords.ts";
import { makePersistence, silence } from "./persistence.ts";
import { type MqttSessions, parseSessionKey, sessionKey } from "./sessions.ts";

export type BrokerPorts = {
  readonly sessions: MqttSessions;
  readonly credentials: Credentials;
  readonly metrics: Metrics;
  readonly say: Limited;
  /** The number of an application, by its id. */
  readonly application: (applicationId: string) => number | undefined;
  readonly applicationId: (application: number) => string | undefined;
  /** A publish to a device's downlink queue; resolves when its fate is on the disk, with the code of a refusal if there is one. */
  readonly push: (
    application: number,
    deviceId: string,
    what: "push" | "replace",
    message: Uint8Array,
  ) => Promise<string | undefined>;
};
export type Broker = {
  readonly address: Address;
  readonly connections: number;
  /** Closes the connections of an application's clients. */
  dismiss(application: number): void;
  close(): Promise<void>;
};

const longestClientId = 128;
const mostConnections = 10_000;
/** A packet that says it is longer is not waited for. */
export const longestPacket = 256 * 1024;

/** MQTT 3.1.1 §3.2.2.3 */
const returnCode = { identifierRejected: 2, unavailable: 3, badCredentials: 4 } as const;
const downlinkTopic = /^v3\/([^/]+)\/devices\/([^/]+)\/down\/(push|replace)$/;

export async function openBroker(ports: BrokerPorts, at: Address): Promise<Broker> {
  const { sessions, credentials, metrics, say } = ports;
  /** CONNECT packets whose client id will not do: said after the password was right. */
  const badIds = new WeakSet<Client>();

  const refused = (code: string, client: Client | null | undefined, fields: object = {}) => {
    metrics.mqttRefused.inc({ code });
    say.warn({ code, from: addressOf(client), ...fields }, "MQTT: refused");
  };

  async function authenticate(client: Client, username: string | undefined, password: Uint8Array | undefined) {
    if (username === undefined || password === undefined) return fault("mqtt/anonymous", returnCode.badCredentials);
    const verdict = await credentials.verify(username, password, addressOf(client));
    const application = ports.application(username);
    if (verdict === "mqtt/busy") return fault(verdict, returnCode.unavailable);
    if (verdict !== "right" || application === undefined) return fault(verdict, returnCode.badCredentials);
    if (badIds.has(client)) return fault("mqtt/client-id", returnCode.identifierRejected);
    Object.assign(client, { id: sessionKey(application, client.id) });
    return undefined;
  }

  /** Refusals do not end the connection: MQTT 3.1.1 has no other answer to a publish than its acknowledgement. */
  async function take(client: Client, topic: string, message: Uint8Array | string): Promise<void> {
    const { application } = parseSessionKey(client.id);
    const [, applicationId, deviceId, what] = downlinkTopic.exec(topic) ?? [];
    if (applicationId === undefined || applicationId !== ports.applicationId(application))
      return refused("mqtt/publish-not-allowed", client);
    const octets = typeof message === "string" ? Buffer.from(message) : message;
    const code = await ports.push(application, deviceId as string, what as "push" | "replace", octets);
    if (code !== undefined) refused(code, client);
  }

  const broker = new Aedes({
    mq: silence,
    persistence: makePersistence(sessions),
    concurrency: 100,
    connectTimeout: 10_000,
    heartbeatInterval: 3_600_000,
    maxClientsIdLength: longestClientId,
    queueLimit: 100,
    preConnect: (client, packet, done) => {
      const { clientId, clean } = packet;
      if (clientId.length > longestClientId || (clientId === "" && clean === false)) badIds.add(client);
      done(null, true);
    },
    authenticate: (client, username, password, done) => {
      authenticate(client, username, password).then(
        (error) => {
          if (error !== undefined) refused(error.code, client);
          done((error ?? null) as never, error === undefined);
        },
        (error) => done(error, false),
      );
    },
    authorizeSubscribe: (client, subscription, done) => {
      const applicationId = ports.applicationId(parseSessionKey(client.id).application);
      const filter = applicationId === undefined ? undefined : parseFilter(applicationId, subscription.topic);
      if (filter === undefined) refused("mqtt/subscription-not-allowed", client);
      done(null, filter === undefined ? null : subscription);
    },
    // QoS 0 and 1 are taken here, because aedes acknowledges after this step and before `published`.
    authorizePublish: (client, packet, done) => {
      if (client === null || packet.qos === 2) return done(null);
      take(client, packet.topic, packet.payload).then(() => done(null), done);
    },
    // QoS 2 is taken here, because here aedes has already told repetitions apart.
    published: (packet, client, done) => {
      if (client === null || packet.qos !== 2) return done(null);
      take(client, packet.topic, packet.payload).then(() => done(null), done);
    },
  });
  await broker.listen();

  broker.on("clientReady", (client) => sessions.connect(client.id, !client.clean, client.conn));
  broker.on("clientDisconnect", (client) => sessions.disconnect(client.id));
  broker.on("subscribe", (subscriptions, client) => {
    const allowed = subscriptions.filter(({ qos }) => (qos as number) !== 128);
    if (client.clean) void sessions.subscribe(client.id, false, allowed as never);
  });
  broker.on("unsubscribe", (topics, client) => {
    if (client?.clean && !client.closed) void sessions.unsubscribe(client.id, topics);
  });
  for (const event of ["clientError", "connectionError"] as const) {
    broker.on(event, (client, error) => {
      const { errorCode } = error as { errorCode?: number };
      if (errorCode === 1) refused("mqtt/protocol-version", client);
      else say.info({ from: addressOf(client), reason: errorReason(error) }, "MQTT: a connection was lost");
    });
  }

  const server = createServer({ noDelay: true }, (socket) => {
    const client = broker.handle(socket);
    socket.on("readable", () => {
      if (announcedLength(client) <= longestPacket) return;
      refused("mqtt/packet-too-large", client);
      socket.destroy();
    });
  });
  server.maxConnections = mostConnections;
  const address = await listening(server, at);
  const clients = () => Object.values((broker as unknown as { clients: Record<string, Client> }).clients);

  return {
    address,
    get connections() {
      return broker.connectedClients;
    },
    dismiss: (application) => {
      for (const client of clients()) if (parseSessionKey(client.id).application === application) client.close();
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => broker.close(resolve));
      await closed;
    },
  };
}

const fault = (code: string, returned: number) => Object.assign(new Error(code), { code, returnCode: returned });
const addressOf = (client: Client | null | undefined): string =>
  (client?.conn as Socket | undefined)?.remoteAddress ?? "unknown";
/** Messages of the parser may quote what a stranger sent: only the names of system errors are told. */
const errorReason = (error: Error): string => (error as NodeJS.ErrnoException).code ?? "protocol";
/** The length in the header of the packet that is being read. */
const announcedLength = (client: Client): number =>
  (client as unknown as { _parser: { packet: { length: number } } })._parser.packet.length;
