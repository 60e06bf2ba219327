/**
 * All sessions, in memory, as columns. A session is named by its slot, a small integer that is reused: who keeps one
 * across an `await` keeps the SessionID too and asks `isStill`.
 */
import assert from "node:assert/strict";
import { type MacVersion, macVersions } from "@trefoil/lorawan";
import { type Columns, growColumns, keyIdOctets, keyOctets, makeColumns } from "./columns.ts";
import { SlotIndex } from "./slot-index.ts";

/** What is known of a session when it is made or loaded. The octets are copied. */
export type NewSession = {
  readonly sessionId: number;
  readonly deviceId: number;
  readonly devAddr: number;
  readonly devEui: Uint8Array;
  /** FNwkSIntKey ‖ SNwkSIntKey ‖ NwkSEncKey, or NwkSKey alone (1.0.x), which then stands in all three places. */
  readonly keys: Uint8Array;
  readonly sessionKeyId: string;
  readonly macVersion: MacVersion;
  readonly region: number;
  readonly channelSet: number;
  readonly isPending: boolean;
  /** Made by a join; else personalised. */
  readonly isJoined: boolean;
  readonly fCntUp: number;
  readonly nFCntDown: number;
  readonly aFCntDown: number;
  readonly confFCntDown: number;
  readonly rxDelay: number;
  readonly rx1DrOffset: number;
  readonly rx2DataRate: number;
  readonly rx2Hz: number;
};

export const flag = { pending: 1, used: 2, keyIdIsHex: 4, joined: 8 } as const;

export class SessionTable {
  #columns: Columns;
  #capacity: number;
  readonly #free: number[] = [];
  #end = 0;
  readonly #byDevAddr: SlotIndex;
  readonly #byDevEui: SlotIndex;
  readonly #otherKeyIds = new Map<number, string>();

  constructor(capacity = 1024) {
    this.#capacity = capacity;
    this.#columns = makeColumns(capacity);
    this.#byDevAddr = new SlotIndex(capacity);
    this.#byDevEui = new SlotIndex(capacity);
  }

  /** The columns as they are now: do not keep them, the table may grow. */
  get columns(): Columns {
    return this.#columns;
  }
  get size(): number {
    return this.#end - this.#free.length;
  }

  add(session: NewSession): number {
    const slot = this.#free.pop() ?? this.#newSlot();
    const c = this.#columns;
    c.sessionId[slot] = session.sessionId;
    c.deviceId[slot] = session.deviceId;
    c.devAddr[slot] = session.devAddr;
    c.devEui.set(session.devEui, slot * 8);
    for (let at = 0; at < keyOctets; at += session.keys.length) c.keys.set(session.keys, slot * keyOctets + at);
    c.macVersion[slot] = macVersions.indexOf(session.macVersion);
    c.region[slot] = session.region;
    c.channelSet[slot] = session.channelSet;
    c.fCntUp[slot] = session.fCntUp;
    c.nFCntDown[slot] = session.nFCntDown;
    c.aFCntDown[slot] = session.aFCntDown;
    c.confFCntDown[slot] = session.confFCntDown & 0xffff;
    c.acceptedConfFCnt[slot] = session.confFCntDown & 0xffff;
    c.acceptedAt[slot] = Number.NEGATIVE_INFINITY;
    c.answers[slot] = 0;
    c.rxDelay[slot] = session.rxDelay;
    c.rx1DrOffset[slot] = session.rx1DrOffset;
    c.rx2DataRate[slot] = session.rx2DataRate;
    c.rx2Hz[slot] = session.rx2Hz;
    c.flags[slot] =
      flag.used |
      (session.isPending ? flag.pending : 0) |
      (session.isJoined ? flag.joined : 0) |
      this.#setKeyId(slot, session.sessionKeyId);
    this.#byDevAddr.add(slot, session.devAddr);
    this.#byDevEui.add(slot, hashOfEui(c.devEui, slot * 8));
    return slot;
  }

  /** Forgets a session and wipes its keys. */
  remove(slot: number): void {
    const c = this.#columns;
    assert(this.#isUsed(slot), "a session is removed once");
    this.#byDevAddr.remove(slot, c.devAddr[slot] as number);
    this.#byDevEui.remove(slot, hashOfEui(c.devEui, slot * 8));
    c.keys.fill(0, slot * keyOctets, (slot + 1) * keyOctets);
    c.flags[slot] = 0;
    c.sessionId[slot] = 0;
    this.#otherKeyIds.delete(slot);
    this.#free.push(slot);
  }

  isStill(slot: number, sessionId: number): boolean {
    return this.#isUsed(slot) && this.#columns.sessionId[slot] === sessionId;
  }

  /** Where a session lies. Walks the whole table: for what happens once, at the start. */
  slotOf(sessionId: number): number | undefined {
    const slot = this.#columns.sessionId.indexOf(sessionId);
    return slot >= 0 && this.isStill(slot, sessionId) ? slot : undefined;
  }

  /** Appends all sessions with this DevAddr to `into`. Several devices may share one (TS001 §6.1.1). */
  withDevAddr(devAddr: number, into: number[]): void {
    const { devAddr: column } = this.#columns;
    for (let slot = this.#byDevAddr.first(devAddr); slot >= 0; slot = this.#byDevAddr.next(slot))
      if (column[slot] === devAddr) into.push(slot);
  }

  /** All sessions of a device: the one that serves, and perhaps one that waits for its first uplink. */
  ofDevice(devEui: Uint8Array): number[] {
    const { devEui: column } = this.#columns;
    const slots: number[] = [];
    for (let slot = this.#byDevEui.first(hashOfEui(devEui, 0)); slot >= 0; slot = this.#byDevEui.next(slot))
      if (devEui.every((octet, i) => column[slot * 8 + i] === octet)) slots.push(slot);
    return slots;
  }

  sessionKeyId(slot: number): string {
    if (((this.#columns.flags[slot] as number) & flag.keyIdIsHex) === 0) return this.#otherKeyIds.get(slot) as string;
    const { keyId } = this.#columns;
    return Buffer.from(keyId.buffer, slot * keyIdOctets, keyIdOctets).toString("hex");
  }

  devEui(slot: number): string {
    return Buffer.from(this.#columns.devEui.buffer, slot * 8, 8).toString("hex");
  }

  macVersion(slot: number): MacVersion {
    return macVersions[this.#columns.macVersion[slot] as number] as MacVersion;
  }

  is(slot: number, which: number): boolean {
    return ((this.#columns.flags[slot] as number) & which) !== 0;
  }

  /** One of the session's keys, as a view that later growth or removal makes stale: use it at once. */
  key(slot: number, index: 0 | 1 | 2): Uint8Array {
    const at = slot * keyOctets + index * 16;
    return this.#columns.keys.subarray(at, at + 16);
  }

  #isUsed(slot: number): boolean {
    return ((this.#columns.flags[slot] as number) & flag.used) !== 0;
  }

  #setKeyId(slot: number, sessionKeyId: string): number {
    if (!/^[0-9a-f]{32}$/.test(sessionKeyId)) {
      this.#otherKeyIds.set(slot, sessionKeyId);
      return 0;
    }
    this.#columns.keyId.set(Buffer.from(sessionKeyId, "hex"), slot * keyIdOctets);
    return flag.keyIdIsHex;
  }

  #newSlot(): number {
    if (this.#end === this.#capacity) this.#grow();
    return this.#end++;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#columns = growColumns(this.#columns, this.#capacity);
    const c = this.#columns;
    const used = Array.from({ length: this.#end }, (_, slot) => slot).filter((slot) => this.#isUsed(slot));
    this.#byDevAddr.grow(this.#capacity, used, (slot) => c.devAddr[slot] as number);
    this.#byDevEui.grow(this.#capacity, used, (slot) => hashOfEui(c.devEui, slot * 8));
  }
}

/** Both halves of an EUI: makers number devices in a row, in either half. */
function hashOfEui(octets: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < 8; i++) hash = (Math.imul(hash, 31) + (octets[at + i] as number)) | 0;
  return hash;
}
