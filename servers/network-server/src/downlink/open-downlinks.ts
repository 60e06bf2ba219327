/**
 * The one application downlink that each device may have open (platform/wire/src/application-link.ts), and its life:
 * reserved → offered → sending → gone. Only `offered` and `sending` are on the disk: a reservation that is lost with
 * the process is a counter that nobody uses.
 */
export type OpenDownlink = {
  readonly deviceId: number;
  readonly sessionId: number;
  readonly queueId: string;
  readonly fCntDown: number;
  readonly fPort: number;
  readonly size: number;
  readonly confirmed: boolean;
  state: "reserved" | "offering" | "offered" | "sending";
  /** Encrypted by the application-server; there from `offering` on. */
  frmPayload?: Uint8Array;
  more: boolean;
};

/** A confirmed downlink that was sent: the session's next uplink says whether it arrived. */
export type AwaitedAck = {
  readonly deviceId: number;
  readonly sessionId: number;
  readonly queueId: string;
  readonly fCntDown: number;
};

/** Until the application-server has surely heard of it. */
const rememberedSent = 10_000;

export class OpenDownlinks {
  readonly #open = new Map<number, OpenDownlink>();
  readonly #sent = new Set<string>();
  readonly #tooLong = new Map<string, number>();
  readonly #awaited = new Map<number, AwaitedAck>();

  get size(): number {
    return this.#open.size;
  }
  get(deviceId: number): OpenDownlink | undefined {
    return this.#open.get(deviceId);
  }
  set(open: OpenDownlink): void {
    this.#open.set(open.deviceId, open);
  }
  /** Forgets it, unless another one has taken its place. */
  delete(open: OpenDownlink): void {
    if (this.#open.get(open.deviceId) === open) this.#open.delete(open.deviceId);
  }

  /** It was handed to a gateway: it can no longer be withdrawn. */
  sent(queueId: string): void {
    this.#tooLong.delete(queueId);
    this.#sent.add(queueId);
    if (this.#sent.size > rememberedSent) for (const oldest of this.#sent) return void this.#sent.delete(oldest);
  }
  wasSent(queueId: string): boolean {
    return this.#sent.has(queueId);
  }

  /** How often it was too long for the data rate of the uplink that it should have answered. */
  tooLong(queueId: string): number {
    return this.#tooLong.get(queueId) ?? 0;
  }
  setTooLong(queueId: string, times: number): void {
    this.#tooLong.delete(queueId);
    if (times > 0) this.#tooLong.set(queueId, times);
    if (this.#tooLong.size > rememberedSent)
      for (const oldest of this.#tooLong.keys()) return void this.#tooLong.delete(oldest);
  }

  awaited(deviceId: number): AwaitedAck | undefined {
    return this.#awaited.size === 0 ? undefined : this.#awaited.get(deviceId);
  }
  await(ack: AwaitedAck): void {
    this.#awaited.set(ack.deviceId, ack);
  }
  settle(ack: AwaitedAck): void {
    if (this.#awaited.get(ack.deviceId) === ack) this.#awaited.delete(ack.deviceId);
  }
}
