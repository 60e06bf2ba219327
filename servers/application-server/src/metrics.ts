/** What /metrics tells of this server. Names begin with trefoil_as_. */
import type { Registry } from "prom-client";
import { Counter, Gauge, Histogram } from "prom-client";

export type Gauges = {
  readonly devices: () => number;
  readonly sessions: () => number;
  readonly downlinks: () => number;
  readonly unread: () => number;
  readonly wanted: () => number;
  readonly logEvents: () => number;
  /** Batches between the end of the log and what a client has acknowledged, by application and client id. */
  readonly lags: () => Iterable<{ readonly application: string; readonly client: string; readonly batches: number }>;
};

export type Metrics = ReturnType<typeof openMetrics>;

export function openMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name: `trefoil_as_${name}`, help, labelNames, registers });
  const events = counter("events_total", "Events of the network-server, by kind and outcome", "is", "outcome");
  return {
    events,
    /** The hot one: its label is found once. */
    readUplinks: events.labels({ is: "uplink", outcome: "taken" }),
    repeatedBatches: counter("repeated_batches_total", "Batches that came again and were not taken twice"),
    appSKeyRequests: counter("app_s_key_requests_total", "AppSKeys asked of join servers, by outcome", "outcome"),
    unreadable: counter("unreadable_total", "Uplinks that a subscriber should have got, without a key to read them"),
    unrenderable: counter("unrenderable_total", "Events passed over because their message could not be made"),
    readerFailures: counter("reader_failures_total", "Readers of the log that failed at a batch that was committed"),
    published: counter("published_total", "Messages written to MQTT clients, by QoS", "qos"),
    redelivered: counter("redelivered_total", "Messages sent again to a client that came back"),
    fellBehind: counter("fell_behind_total", "MQTT sessions whose next event had been pruned"),
    mqttRefused: counter("mqtt_refused_total", "Connections, subscriptions and publishes refused", "code"),
    downlinks: counter("downlinks_total", "Downlinks by what became of them", "outcome"),
    latency: new Histogram({
      name: "trefoil_as_publish_seconds",
      help: "From taking a batch to writing it to an MQTT client",
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    observe: (gauges: Gauges) => {
      const gauge = (name: string, help: string, value: () => number) =>
        new Gauge({
          name: `trefoil_as_${name}`,
          help,
          registers,
          collect() {
            this.set(value());
          },
        });
      gauge("devices", "Devices", gauges.devices);
      gauge("sessions", "Sessions with an AppSKey in memory", gauges.sessions);
      gauge("downlinks_waiting", "Downlinks that have not been sent", gauges.downlinks);
      gauge("unread_events", "Uplinks kept until their key comes", gauges.unread);
      gauge("sessions_without_key", "Sessions whose AppSKey a join server is asked for", gauges.wanted);
      gauge("log_events", "Events in the log", gauges.logEvents);
      new Gauge({
        name: "trefoil_as_client_lag_batches",
        help: "Batches that an MQTT session is behind the end of the log",
        labelNames: ["application", "client"],
        registers,
        collect() {
          this.reset();
          for (const { application, client, batches } of gauges.lags()) this.set({ application, client }, batches);
        },
      });
    },
  };
}
