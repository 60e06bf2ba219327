/** Counters that cost one addition each; Prometheus reads them when it is asked for them. */
import { Counter, Gauge, type Registry } from "prom-client";

export type Tally<Outcome extends string> = {
  readonly add: (outcome: Outcome, count?: number) => void;
  readonly of: (outcome: Outcome) => number;
};

export function openTally<Outcome extends string>(registry: Registry, name: string, help: string): Tally<Outcome> {
  const counts = new Map<Outcome, number>();
  new Counter({
    name,
    help,
    labelNames: ["outcome"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, count] of counts) this.inc({ outcome }, count);
    },
  });
  return {
    add: (outcome, count = 1) => void counts.set(outcome, (counts.get(outcome) ?? 0) + count),
    of: (outcome) => counts.get(outcome) ?? 0,
  };
}

/** A number that is looked up when Prometheus asks. */
export const openGauge = (registry: Registry, name: string, help: string, value: () => number) =>
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
