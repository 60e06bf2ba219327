/**
 * Looks for every secret whenever a process stands at a mark: all processes are stopped, searched and continued, then the one at the mark is let
 * go. Each mark of a join is looked at once for each kind of join.
 */
import { renameSync, writeFileSync } from "node:fs";
import type { Known } from "./known.ts";
import { needlesOf } from "./needles.ts";
import type { Standing } from "./records.ts";
import { processesOf, type RunningNetwork, whileStopped } from "./running.ts";
import { type Find, type Suspect, scan } from "./scan.ts";
import { type Go, goFile, type Plant } from "./tap/format.ts";
import { marks } from "./tap/marks.ts";

export type JoinKind = "1.0.x join" | "1.1 join" | "rejoin";
export type Look = { readonly mark: string; readonly octets: number; readonly ms: number };
/** What a test has a process leave behind on its way. */
export type Planter = (standing: Standing) => readonly Plant[];

/** All looks at one join: longer pauses would make its join-accept come too late. What is left waits for another join. */
const mostPerJoinMs = 3_000;
const pollMs = 3;

export class Watch {
  readonly looks: Look[] = [];
  readonly finds: Find[] = [];
  readonly #network: RunningNetwork;
  readonly #known: Known;
  readonly #planter: Planter;
  readonly #kindOf: (devEui: string, isRejoin: boolean) => JoinKind;
  readonly #seen = new Set<string>();
  #kind: JoinKind = "1.0.x join";
  #lookedAtThisJoinMs = 0;
  #devices: readonly number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #busy: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(
    network: RunningNetwork,
    known: Known,
    kindOf: (devEui: string, isRejoin: boolean) => JoinKind,
    planter: Planter = () => [],
  ) {
    this.#network = network;
    this.#known = known;
    this.#kindOf = kindOf;
    this.#planter = planter;
  }

  /** Until `end`. `devices`: processes that stand still with the others, as time stands still for them then. */
  begin(devices: readonly number[]): void {
    this.#devices = devices;
    const turn = () => {
      this.#busy = this.#attend().catch((error: unknown) => {
        this.#failure ??= error;
      });
      void this.#busy.then(() => {
        if (this.#timer !== undefined) this.#timer = setTimeout(turn, pollMs);
      });
    };
    this.#timer = setTimeout(turn, 0);
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#busy;
    await this.#attend();
    if (this.#failure) throw this.#failure;
  }

  /** Marks of this kind of join that nobody has come to yet. */
  missing(kind: JoinKind | "traffic"): readonly string[] {
    const of = kind === "traffic" ? "traffic" : "join";
    return marks
      .filter((mark) => mark.of === of && !this.#seen.has(`${kind}: ${mark.name}`))
      .map(({ name }) => `${kind}: ${name}`);
  }

  async #attend(): Promise<void> {
    for (const standing of this.#network.records.arrivals()) {
      const mark = this.#wanted(standing);
      if (mark !== undefined) {
        this.#seen.add(mark);
        await this.look(mark, false);
        this.#lookedAtThisJoinMs += this.looks.at(-1)?.ms ?? 0;
      }
      const { tapFolder } = this.#network;
      const go = goFile(tapFolder, standing.process, standing.n);
      writeFileSync(`${go}.new`, JSON.stringify({ plants: this.#planter(standing) } satisfies Go), { mode: 0o644 });
      renameSync(`${go}.new`, go);
    }
  }

  /** The name under which it is looked at, or undefined where that has been done, or must wait for another join. */
  #wanted({ mark, message }: Standing): string | undefined {
    const row = marks.find(({ name }) => name === mark);
    if (row === undefined) return undefined;
    if (row.of === "traffic") return this.#seen.has(`traffic: ${mark}`) ? undefined : `traffic: ${mark}`;
    if (row === marks[0]) {
      const text = message.toString("latin1");
      const devEui = /"DevEUI":"(?:0x)?([0-9a-f]{16})"/i.exec(text)?.[1]?.toLowerCase() ?? "";
      this.#kind = this.#kindOf(devEui, text.includes('"RejoinReq"'));
      this.#lookedAtThisJoinMs = 0;
    }
    const name = `${this.#kind}: ${mark}`;
    return this.#seen.has(name) || this.#lookedAtThisJoinMs >= mostPerJoinMs ? undefined : name;
  }

  /** Searches everything. The vault and the virtual devices, who are exempt, only when `all` is asked for: that is for the table. */
  async look(mark: string, all: boolean): Promise<void> {
    const started = performance.now();
    const { records, folders } = this.#network;
    const processes = processesOf(this.#network).filter(({ holder }) => all || holder !== "vault");
    const devices = this.#devices.map((pid): Suspect => ({ holder: "virtual devices", pid }));
    const { finds, octets } = await whileStopped([...processes.map(({ pid }) => pid), ...this.#devices], () => {
      records.readOn();
      const pieces = [...records.pieces(), this.#network.output()];
      const needles = needlesOf(this.#known.secrets(records));
      return scan(mark, [...processes, ...(all ? devices : []), ...folders], pieces, needles);
    });
    this.finds.push(...finds);
    this.looks.push({ mark, octets, ms: Math.round(performance.now() - started) });
  }

  /** Files, messages and lines once more, when the network has ended. */
  afterwards(mark: string): void {
    const started = performance.now();
    const { records, folders } = this.#network;
    records.readOn();
    const needles = needlesOf(this.#known.secrets(records));
    const { finds, octets } = scan(mark, folders, [...records.pieces(), this.#network.output()], needles);
    this.finds.push(...finds);
    this.looks.push({ mark, octets, ms: Math.round(performance.now() - started) });
  }
}
