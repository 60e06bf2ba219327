/**
 * AppSKeys that no join event brought: asked of the join server of the device's JoinEUI (TS002 AppSKeyReq), again and again until they are
 * here. What is wanted lies in the store, so that a restart asks on; uplinks wait meanwhile (log/unread.ts).
 */
import { randomInt } from "node:crypto";
import type { AppSKeyReq } from "@trefoil/backend-interfaces";
import { encodeMessage } from "@trefoil/backend-interfaces";
import { describeError, Fault, type JoinServer, type Limited } from "@trefoil/service";
import type { Store } from "@trefoil/store";
import type { Metrics } from "../metrics.ts";
import type { HotStatement } from "../schema.ts";
import { type AnsweredKey, readAppSKeyAns } from "./app-s-key-ans.ts";
import type { DeviceTable } from "./device-table.ts";
import type { Ops, SessionBook } from "./session-book.ts";

export type KeyAskerPorts = {
  readonly store: Store<HotStatement>;
  readonly devices: DeviceTable;
  readonly sessions: SessionBook;
  /** Undefined: nobody said where that JoinEUI's join server is. */
  readonly joinServer: (joinEui: string) => JoinServer | undefined;
  readonly asId: string;
  readonly metrics: Metrics;
  readonly say: Limited;
  /** The key is here: what waited for it goes on. */
  readonly came: (device: number, sessionKeyId: string) => Promise<void>;
};

type Wanted = { readonly device: number; readonly sessionKeyId: string; readonly joinEui: string };
type Row = { readonly device: number; readonly session_key_id: string; readonly join_eui: string };

const mostAtOnce = 16;
const timeoutMs = 10_000;
const firstPauseMs = 1_000;
/** A refusal is a person's to mend: no hurry. */
const refusedPauseMs = 60_000;
const longestPauseMs = 30 * 60_000;

export class KeyAsker {
  readonly #ports: KeyAskerPorts;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #ready: { readonly wanted: Wanted; readonly attempt: number }[] = [];
  #busy = 0;
  #closed = false;
  #transactionId = randomInt(2 ** 32);

  constructor(ports: KeyAskerPorts) {
    this.#ports = ports;
  }

  /** Sessions without a key. */
  get size(): number {
    return this.#waiting.size + this.#ready.length + this.#busy;
  }

  /** What was wanted before a restart. */
  resume(): void {
    for (const row of this.#ports.store.read<Row>("SELECT * FROM wanted").all())
      this.want({ device: row.device, sessionKeyId: row.session_key_id, joinEui: row.join_eui });
  }

  /** The row of `wanted` is on the disk. */
  want(wanted: Wanted): void {
    this.#ready.push({ wanted, attempt: 0 });
    this.#next();
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#waiting.values()) clearTimeout(timer);
  }

  #next(): void {
    while (this.#busy < mostAtOnce && !this.#closed) {
      const one = this.#ready.shift();
      if (one === undefined) return;
      this.#busy++;
      this.#attempt(one.wanted)
        .then((pauseMs) => pauseMs !== undefined && this.#later(one.wanted, one.attempt + 1, pauseMs))
        .finally(() => {
          this.#busy--;
          this.#next();
        });
    }
  }

  /** With jitter, so that many do not come back as one. */
  #later(wanted: Wanted, attempt: number, pauseMs: number): void {
    if (this.#closed) return;
    const id = `${wanted.device}/${wanted.sessionKeyId}`;
    const pause = Math.min(pauseMs * 2 ** (attempt - 1), longestPauseMs) * (0.75 + Math.random() / 2);
    const ready = () => {
      this.#waiting.delete(id);
      this.#ready.push({ wanted, attempt });
      this.#next();
    };
    clearTimeout(this.#waiting.get(id));
    this.#waiting.set(id, setTimeout(ready, pause).unref());
  }

  /** Undefined when it is done with; else after how long to begin trying again. Never rejects. */
  async #attempt(wanted: Wanted): Promise<number | undefined> {
    const { metrics, say, devices } = this.#ports;
    try {
      if (!this.#isNeeded(wanted)) return await this.#drop(wanted);
      const devEui = devices.devEui(wanted.device);
      const server = this.#ports.joinServer(wanted.joinEui);
      const answer = server && (await this.#ask(wanted, devEui, server));
      const code =
        answer === undefined ? "no-join-server" : "code" in answer ? answer.code : await this.#take(wanted, answer);
      metrics.appSKeyRequests.inc({ outcome: code ?? "taken" });
      if (code === undefined) return undefined;
      const { joinEui, sessionKeyId } = wanted;
      say.error(
        { devEui, joinEui, sessionKeyId, code },
        "the join server refuses an AppSKey: uplinks of this session wait",
      );
      return refusedPauseMs;
    } catch (error) {
      metrics.appSKeyRequests.inc({ outcome: error instanceof Fault ? error.code : "failed" });
      say.warn({ joinEui: wanted.joinEui, err: describeError(error) }, "an AppSKey could not be asked for");
      return firstPauseMs;
    }
  }

  async #ask(wanted: Wanted, devEui: string, server: JoinServer): Promise<AnsweredKey | { readonly code: string }> {
    this.#transactionId = (this.#transactionId + 1) % 2 ** 32;
    const asked: AppSKeyReq = {
      ProtocolVersion: server.protocolVersion,
      SenderID: this.#ports.asId,
      ReceiverID: wanted.joinEui,
      TransactionID: this.#transactionId,
      MessageType: "AppSKeyReq",
      DevEUI: devEui,
      SessionKeyID: wanted.sessionKeyId,
    };
    return readAppSKeyAns(await server.ask(encodeMessage(asked), timeoutMs), asked);
  }

  /** Undefined, or why the key cannot be used. */
  async #take({ device, sessionKeyId }: Wanted, { appSKey }: AnsweredKey): Promise<string | undefined> {
    const { sessions, store } = this.#ports;
    const ops: Ops = [];
    const refused = sessions.fill(device, sessionKeyId, appSKey, ops);
    if (refused !== undefined) return refused;
    ops.push({ statement: "dropWanted", rows: [[device, sessionKeyId]] });
    await store.commit(ops);
    await this.#ports.came(device, sessionKeyId);
    return undefined;
  }

  /** The device is still here, and its session in use, or uplinks of it wait. */
  #isNeeded({ device, sessionKeyId }: Wanted): boolean {
    const { store, devices } = this.#ports;
    if (!devices.has(device)) return false;
    const session = store
      .read<{ ended: number | null }>(
        "SELECT ended_position AS ended FROM session WHERE device = ? AND session_key_id = ?",
      )
      .get(device, sessionKeyId);
    if (session === undefined || session.ended === null) return session !== undefined;
    const kept = "SELECT 1 AS kept FROM unread WHERE device = ? AND session_key_id = ? LIMIT 1";
    return store.read(kept).get(device, sessionKeyId) !== undefined;
  }

  async #drop({ device, sessionKeyId }: Wanted): Promise<undefined> {
    await this.#ports.store.commit([{ statement: "dropWanted", rows: [[device, sessionKeyId]] }]);
  }
}
