/** What /metrics shows. The parts that are counted per uplink cost one addition. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type Outcome, outcomes } from "./outcomes.ts";

export type Gauges = { readonly [name: string]: () => number };
export type Metrics = ReturnType<typeof makeMetrics>;

export function makeMetrics(registry: Registry) {
  const counts = new Map<Outcome, number>((Object.keys(outcomes) as Outcome[]).map((outcome) => [outcome, 0]));
  const registers = [registry];
  new Counter({
    name: "trefoil_uplink_frames_total",
    help: "Frames by what became of them",
    labelNames: ["outcome"],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of counts) this.inc({ outcome }, count);
    },
  });
  const receptions = { first: 0, again: 0, late: 0, "too-many": 0, malformed: 0 };
  new Counter({
    name: "trefoil_uplink_receptions_total",
    help: "Hearings of frames by gateways: first, again (within the window), late (after it)",
    labelNames: ["is"],
    registers,
    collect() {
      this.reset();
      for (const [is, count] of Object.entries(receptions)) this.inc({ is }, count);
    },
  });
  return {
    receptions,
    outcome: (outcome: Outcome) => void counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
    /** For tests and GET /status. */
    count: (outcome: Outcome) => counts.get(outcome) ?? 0,
    claimSeconds: new Histogram({
      name: "trefoil_uplink_claim_seconds",
      help: "From the first gateway's report of a frame to its durable claim",
      buckets: [0.01, 0.05, 0.1, 0.2, 0.22, 0.24, 0.26, 0.3, 0.4, 0.6, 0.8, 1, 2],
      registers,
    }),
    downlinks: new Counter({
      name: "trefoil_downlinks_total",
      help: "Frames handed to gateways, by priority and result",
      labelNames: ["priority", "result"],
      registers,
    }),
    quarantined: new Counter({
      name: "trefoil_outbox_quarantined_total",
      help: "Events that the application-server refused for good",
      labelNames: ["is"],
      registers,
    }),
    macCommands: new Counter({
      name: "trefoil_uplink_mac_commands_total",
      help: "MAC commands received",
      labelNames: ["command"],
      registers,
    }),
    gauges: (gauges: Gauges) => {
      for (const [name, value] of Object.entries(gauges))
        new Gauge({
          name: `trefoil_${name}`,
          help: name.replaceAll("_", " "),
          registers,
          collect() {
            this.set(value());
          },
        });
    },
  };
}
