/**
 * Counters for the application-server, which alone encrypts (DESIGN §4). A counter is on the disk as used before it is told,
 * and a ciphertext before it is accepted: after a crash nothing is known of a reservation, and its counter is skipped.
 */
import { maxMacPayload, type RegionParameters } from "@trefoil/lorawan";
import type { Offered, Reserve, Reserved, Withdrawn } from "@trefoil/wire";
import type { Registry } from "../devices/registry.ts";
import { flag } from "../sessions/session-table.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";
import type { OpenDownlink } from "./open-downlinks.ts";
import { parseOffer, parseReserve, parseWithdraw } from "./parse.ts";

const refused = (code: string) => ({ result: "refused", code }) as const;
/** FHDR 7, FPort 1. */
const overhead = 8;
/** TS001-1.0.4 §4.3.2: 0 is the network's, 224 and above are reserved. */
const mayCarryApplication = (fPort: number) => fPort >= 1 && fPort <= 223;

/** Octets of FRMPayload that the region's best data rate can carry down. */
export function longestPayload(region: RegionParameters): number {
  const most = region.dataRates.down.map((rate, dr) => (rate ? (maxMacPayload(region, dr) ?? 0) : 0));
  return Math.max(0, ...most) - overhead;
}

export class Reservations {
  readonly #state: State;
  readonly #registry: Registry;

  constructor(state: State, registry: Registry) {
    this.#state = state;
    this.#registry = registry;
  }

  async reserve(body: unknown): Promise<Reserved> {
    const reserve = parseReserve(body);
    if (!reserve || !mayCarryApplication(reserve.fPort)) return refused("downlink/invalid");
    const { sessions, downlinks } = this.#state;
    const { columns } = sessions.table;
    const slot = this.#servingSlot(reserve.devEui);
    if (slot === undefined)
      return refused(this.#registry.byDevEui(reserve.devEui) ? "downlink/no-session" : "downlink/unknown-device");
    if (reserve.size > longestPayload(sessions.region(slot))) return refused("downlink/too-long");

    const deviceId = columns.deviceId[slot] as number;
    const former = downlinks.get(deviceId);
    // The same entry again: its answer was lost. It gets another counter, unless it is on its way to a gateway.
    if (former && (former.queueId !== reserve.queueId || former.state === "sending")) return refused("downlink/busy");

    const sessionId = columns.sessionId[slot] as number;
    const column = sessions.rules(slot).twoFCntDown ? columns.aFCntDown : columns.nFCntDown;
    const fCntDown = column[slot] as number;
    if (fCntDown >= 2 ** 32) return refused("downlink/counter-exhausted");
    column[slot] = fCntDown + 1;
    const open: OpenDownlink = { ...openOf(reserve), deviceId, sessionId, fCntDown };
    downlinks.set(open);

    const devAddr = (columns.devAddr[slot] as number).toString(16).padStart(8, "0");
    const sessionKeyId = sessions.table.sessionKeyId(slot);
    const batch = new Batch();
    if (former?.state === "offered") batch.add("deleteDownlink", deviceId);
    batch.add("reserve", sessionId, columns.nFCntDown[slot] as number, columns.aFCntDown[slot] as number);
    batch.undo(() => downlinks.delete(open));
    await this.#state.commit(batch);
    return { result: "reserved", sessionKeyId, devAddr, fCntDown };
  }

  async offer(body: unknown): Promise<Offered> {
    const parsed = parseOffer(body);
    if (!parsed) return refused("downlink/invalid");
    const { offer, frmPayload } = parsed;
    const { sessions, downlinks } = this.#state;
    const { table } = sessions;
    const slot = this.#servingSlot(offer.devEui);
    if (slot === undefined) return refused("downlink/no-session");
    const open = downlinks.get(table.columns.deviceId[slot] as number);
    const isReserved =
      open?.state === "reserved" &&
      open.queueId === offer.queueId &&
      open.fCntDown === offer.fCntDown &&
      open.sessionId === table.columns.sessionId[slot] &&
      table.sessionKeyId(slot) === offer.sessionKeyId;
    if (!isReserved) return refused("downlink/not-reserved");
    const isSame = open.size === offer.size && open.fPort === offer.fPort && open.confirmed === offer.confirmed;
    if (!isSame) return refused("downlink/invalid");

    open.state = "offering";
    open.frmPayload = frmPayload;
    open.more = offer.more;
    const { deviceId, sessionId, queueId, fCntDown, fPort, confirmed, more } = open;
    const batch = new Batch();
    batch.add(
      "offerDownlink",
      deviceId,
      sessionId,
      queueId,
      fCntDown,
      fPort,
      Number(confirmed),
      Number(more),
      frmPayload,
    );
    batch.undo(() => {
      open.state = "reserved";
    });
    await this.#state.commit(batch);
    if (downlinks.get(deviceId) === open) {
      open.state = "offered";
      return { result: "accepted" };
    }
    // While it was written, a frame of the network took a later counter (1.0.x), or the session ended.
    if (!downlinks.get(deviceId)) await this.#forget(deviceId);
    return refused("downlink/counter-overtaken");
  }

  async withdraw(body: unknown): Promise<Withdrawn> {
    const withdraw = parseWithdraw(body);
    if (!withdraw) return { queueIds: [] };
    const { downlinks } = this.#state;
    const device = this.#registry.byDevEui(withdraw.devEui);
    const open = device && downlinks.get(device.deviceId);
    const own = open?.state === "sending" || open?.state === "offering" ? open.queueId : undefined;
    if (open && own === undefined && withdraw.queueIds.includes(open.queueId)) {
      downlinks.delete(open);
      if (open.state === "offered") await this.#forget(open.deviceId);
    }
    // What this server has not got was never handed to a gateway.
    return { queueIds: withdraw.queueIds.filter((id) => id !== own && !downlinks.wasSent(id)) };
  }

  async #forget(deviceId: number): Promise<void> {
    const batch = new Batch();
    batch.add("deleteDownlink", deviceId);
    await this.#state.commit(batch);
  }

  /** The session that serves: one that waits for its first uplink does not yet. */
  #servingSlot(devEui: string): number | undefined {
    const { table } = this.#state.sessions;
    return table.ofDevice(Buffer.from(devEui, "hex")).find((slot) => !table.is(slot, flag.pending));
  }
}

const openOf = ({ queueId, fPort, size, confirmed }: Reserve) =>
  ({ queueId, fPort, size, confirmed, state: "reserved", more: false }) as const;
