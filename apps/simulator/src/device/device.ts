/**
 * A virtual LoRaWAN end-device, class A. One exchange at a time; all else waits in a queue, as in real firmware.
 * TS001-1.0.4, TS001-1.0.3 and TS001-1.1 where `rules` says they differ.
 */
import { legacyKeys, type SessionKeys } from "../crypto/session-keys.ts";
import { type JoinAccept, mType, type RejoinType } from "../frames.ts";
import type { Clock } from "../radio/clock.ts";
import type { Heard, Medium } from "../radio/medium.ts";
import type { Place } from "../radio/propagation.ts";
import type { Random } from "../random.ts";
import type { Region } from "../regions/index.ts";
import type { DeviceEvent, DeviceFact, Sent } from "./events.ts";
import {
  type Asked,
  type Identity,
  joinChannel,
  joinRequest,
  joinTry,
  openJoinAccept,
  type RootKeys,
  rejoinRequest,
  settingsAfterJoin,
  settingsAfterRejoin,
} from "./join.ts";
import { MacLayer } from "./mac-layer.ts";
import { type DeviceRadio, exchange } from "./radio.ts";
import {
  type Downlink,
  encodeUplink,
  receiveDownlink,
  type Session,
  type Uplink,
  withoutAcknowledgement,
} from "./session.ts";
import { defaultSettings, type Settings, type WindowName } from "./settings.ts";
import { type MacVersion, rules } from "./versions.ts";

export type Personalisation = {
  readonly devAddr: string;
  readonly keys: SessionKeys;
  readonly fCntUp?: number;
  readonly dr?: number;
};
/** What real firmware keeps in flash. Give it back to a new `Device` to play a power cut. */
export type DeviceMemory = { devNonce: number; joinNonce: number; rjCount1?: number };

export type DeviceOptions = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly version: MacVersion;
  /** Over-the-air devices. */
  readonly keys?: RootKeys;
  /** Personalised devices. */
  readonly abp?: Personalisation;
  readonly region: Region;
  readonly position: Place["position"];
  readonly clock: Clock;
  readonly medium: Medium;
  readonly random: Random;
  readonly memory?: DeviceMemory;
  /** Half a millisecond unless told otherwise: far stricter than silicon, so that a network's timing errors show. */
  readonly windowToleranceUs?: number;
  readonly adr?: boolean;
  readonly battery?: number;
  /** Sends an empty uplink soon after a confirmed downlink or FPending. Default true. */
  readonly answersPromptly?: boolean;
};
export type Message = {
  readonly fPort?: number;
  readonly payload?: Uint8Array;
  readonly confirmed?: boolean;
  /** Transmissions at most. Default: 8 when confirmed, else NbTrans. */
  readonly tries?: number;
};
export type SendResult = {
  readonly fCntUp: number;
  readonly tries: number;
  readonly acknowledged: boolean;
  readonly downlinks: readonly Downlink[];
};

/** A join-request or rejoin-request, and what becomes of it. */
type Request = Pick<Asked, "by" | "nonce"> & {
  readonly transmission: { readonly phyPayload: Uint8Array; readonly channel: number; readonly dr: number };
  /** Those that the windows follow from. */
  readonly settings: Settings;
  readonly afterwards: (accept: JoinAccept) => Settings;
  readonly sent: (sent: Sent) => void;
  /** Another frame than a join-accept; says whether it was for this device. */
  readonly otherwise: (frame: Heard, window: WindowName) => boolean;
};

const none = new Uint8Array(0);
const second = 1_000_000;
const confirmedTries = 8;

export class Device {
  readonly devEui: string;
  readonly version: MacVersion;
  readonly memory: DeviceMemory;
  readonly #options: DeviceOptions;
  readonly #radio: DeviceRadio;
  readonly #random: Random;
  readonly #listeners = new Set<(event: DeviceEvent) => void>();
  readonly #mac: MacLayer;
  #session: Session | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.devEui = options.devEui;
    this.version = options.version;
    this.memory = options.memory ?? { devNonce: 0, joinNonce: -1 };
    this.#random = options.random;
    const { clock, medium, region, position } = options;
    const place = { id: options.devEui, position };
    this.#radio = { clock, medium, region, place, toleranceUs: options.windowToleranceUs ?? 500, antennaGainDbi: 0 };
    const usualDr = region.plan === "dynamic" ? 5 : 3;
    const settings = defaultSettings(region, options.abp?.dr ?? usualDr);
    this.#mac = new MacLayer(region, options.version, options.battery ?? 255, settings);
    if (options.abp !== undefined) {
      const { devAddr, keys, fCntUp = 0 } = options.abp;
      const protocol = rules[options.version].splitKeys ? "1.1" : "1.0";
      this.#session = { protocol, devAddr, keys, fCntUp, nFCntDown: -1, aFCntDown: -1, rjCount0: 0 };
      if (protocol === "1.1") this.#mac.begin(settings, "ResetInd");
    }
  }

  get session(): Session | undefined {
    return this.#session;
  }
  get settings(): Settings {
    return this.#mac.settings;
  }

  on(listener: (event: DeviceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins no further transmission. */
  stop(): void {
    this.#stopped = true;
  }

  /** Joins, trying up to `tries` times with growing pauses. The earlier session, if any, serves until an accept is heard. */
  join({ tries = 10 } = {}): Promise<boolean> {
    return this.#enqueue(async () => {
      let n = 0;
      while (n < tries && !this.#stopped) {
        // Back-off with jitter, so that a car park after a power cut does not speak with one voice.
        if (n > 0) await this.#sleep(this.#random.between(0.5, 1.5) * second * Math.min(2 ** n, 32));
        if (await this.#joinOnce(n++)) return true;
      }
      this.#tell({ is: "join-failed", tries: n });
      return false;
    });
  }

  /**
   * Sends a rejoin-request (1.1), up to `tries` times with pauses, until a join-accept begins a new session: then true. The network may answer
   * with an ordinary downlink instead, or not at all; the session stays and serves. TS001-1.1 §6.2.4
   */
  rejoin({ type, tries = 1 }: { readonly type: RejoinType; readonly tries?: number }): Promise<boolean> {
    return this.#enqueue(async () => {
      let n = 0;
      while (n < tries && !this.#stopped) {
        if (n > 0) await this.#sleep(this.#random.between(32, 64) * second);
        if (await this.#rejoinOnce(type, n++)) return true;
      }
      this.#tell({ is: "rejoin-unanswered", type, tries: n });
      return false;
    });
  }

  /** Sends a message and waits for its windows, and for the ACK when it is confirmed. Throws when there is no session or it is too long. */
  send(message: Message = {}): Promise<SendResult> {
    return this.#enqueue(() => this.#send(message));
  }

  /** Asks with the next uplink; the answer comes as an event. */
  requestLinkCheck(): void {
    this.#mac.request("LinkCheckReq");
  }
  requestDeviceTime(): void {
    this.#mac.request("DeviceTimeReq");
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #tell(fact: DeviceFact): void {
    const event = { ...fact, devEui: this.devEui, at: this.#radio.clock.now() };
    for (const listener of this.#listeners) listener(event);
  }

  #sleep(us: number): Promise<void> {
    const { clock } = this.#radio;
    return new Promise((resolve) => clock.at(clock.now() + us, resolve));
  }

  #nextDevNonce(): number {
    if (!rules[this.version].devNonceIsCounter) return this.#random.int(65536);
    return this.memory.devNonce++;
  }

  #identity(): Identity {
    const { keys, joinEui } = this.#options;
    if (keys === undefined) throw new RangeError("a personalised device cannot join");
    return { devEui: this.devEui, joinEui, version: this.version, keys };
  }

  async #joinOnce(n: number): Promise<boolean> {
    const identity = this.#identity();
    const { region } = this.#radio;
    const { channel, dr } = joinTry(region, n, this.#random);
    const devNonce = this.#nextDevNonce();
    const phyPayload = joinRequest(identity, devNonce);
    const settings = defaultSettings(region, dr);
    return this.#activate(identity, {
      by: "join",
      nonce: devNonce,
      transmission: { phyPayload, channel, dr },
      settings,
      afterwards: (accept) => settingsAfterJoin(region, settings, accept),
      sent: (sent) => this.#tell({ is: "join-request", devNonce, tryNumber: n + 1, ...sent }),
      otherwise: () => false,
    });
  }

  async #rejoinOnce(type: RejoinType, n: number): Promise<boolean> {
    const identity = this.#identity();
    const session = this.#session;
    if (session?.protocol !== "1.1") throw new RangeError("only a session of 1.1 has rejoin-requests");
    const rjCount = this.#nextRjCount(session, type);
    const { region } = this.#radio;
    const { settings } = this.#mac;
    const adr = this.#options.adr ?? true;
    const dr = type === 2 || adr ? settings.dr : joinTry(region, n, this.#random).dr;
    const channel = type === 2 ? this.#random.pick(this.#mac.usableChannels()) : joinChannel(region, dr, this.#random);
    return this.#activate(identity, {
      by: type,
      nonce: rjCount,
      transmission: { phyPayload: rejoinRequest(identity, type, session, rjCount), channel, dr },
      settings,
      afterwards: (accept) => settingsAfterRejoin(region, settings, type, accept),
      sent: (sent) => this.#tell({ is: "rejoin-request", type, rjCount, tryNumber: n + 1, ...sent }),
      otherwise: (frame, window) => this.#receive(frame, window, { fCnt: 0, confirmed: false }) !== undefined,
    });
  }

  /** RJcount0 lives with the session, RJcount1 as long as the device. Neither ever wraps. TS001-1.1 §6.2.4.1, §6.2.4.2 */
  #nextRjCount(session: Session, type: RejoinType): number {
    const rjCount = type === 1 ? (this.memory.rjCount1 ?? 0) : session.rjCount0;
    if (rjCount > 0xffff) throw new RangeError(`RJcount${type === 1 ? 1 : 0} is used up`);
    if (type === 1) this.memory.rjCount1 = rjCount + 1;
    else this.#session = { ...session, rjCount0: rjCount + 1 };
    return rjCount;
  }

  /** One request that a join-accept may answer, from transmission to the end of its windows. True: a new session has begun. */
  #activate(identity: Identity, request: Request): Promise<boolean> {
    const { by, nonce, settings, transmission } = request;
    return new Promise((resolve) => {
      let joined = false;
      const heard = (frame: Heard, window: WindowName): boolean => {
        if ((frame.octets[0] ?? 0) >> 5 !== mType.joinAccept) return request.otherwise(frame, window);
        const asked = { by, nonce, lastJoinNonce: this.memory.joinNonce };
        const opened = openJoinAccept(identity, frame.octets, asked);
        if ("refused" in opened) {
          this.#tell({ is: "refused", window, reason: opened.refused });
          return false;
        }
        const { accept, session } = opened;
        this.memory.joinNonce = accept.joinNonce;
        this.#session = session;
        this.#mac.begin(request.afterwards(accept), session.protocol === "1.1" ? "RekeyInd" : undefined);
        joined = true;
        const { devAddr, protocol } = session;
        this.#tell({ is: "joined", by, window, devAddr, joinNonce: accept.joinNonce, protocol });
        return true;
      };
      const { hz, airtimeUs } = exchange(
        this.#radio,
        settings,
        { ...transmission, isJoin: true },
        { heard, closed: () => resolve(joined) },
      );
      request.sent({ hz, dr: transmission.dr, airtimeUs, size: transmission.phyPayload.length });
    });
  }

  async #send({ fPort, payload = none, confirmed = false, tries }: Message): Promise<SendResult> {
    const session = this.#session;
    if (session === undefined) throw new Error("the device has no session");
    this.#mac.checkRoom(payload.length);
    const fCnt = session.fCntUp;
    this.#session = { ...session, fCntUp: fCnt + 1 };
    const acknowledges = session.toAcknowledge;
    const { nbTrans } = this.#mac.settings;
    const limit = tries ?? (confirmed ? Math.max(confirmedTries, nbTrans) : nbTrans);
    const { adrAckReq } = this.#mac.countUplink();
    const adr = this.#options.adr ?? true;
    const uplink: Uplink = {
      fCnt,
      confirmed,
      payload,
      fOpts: this.#mac.takeFOpts(payload.length),
      adr,
      adrAckReq: adr && adrAckReq,
      ...(fPort === undefined ? {} : { fPort }),
      ...(acknowledges === undefined ? {} : { acknowledges }),
    };
    const downlinks: Downlink[] = [];
    let done = 0;
    while (done < limit && !this.#stopped) {
      if (done > 0) await this.#sleep(this.#random.between(1, 3) * second);
      if (confirmed && done > 0 && done % 2 === 0 && rules[this.version].retriesSlowDown) this.#mac.slowDown();
      done++;
      const downlink = await this.#transmit(session, uplink, done);
      if (downlink === undefined) continue;
      downlinks.push(downlink);
      if (!confirmed || downlink.ack) break;
    }
    const acknowledged = confirmed && downlinks.some(({ ack }) => ack);
    if (confirmed) this.#tell({ is: acknowledged ? "acknowledged" : "lost", fCntUp: fCnt, tries: done });
    // What this frame acknowledged needs no second ACK, unless a newer confirmed downlink came meanwhile.
    if (acknowledges !== undefined) this.#session = withoutAcknowledgement(this.#session, acknowledges);
    this.#followUp(downlinks);
    return { fCntUp: fCnt, tries: done, acknowledged, downlinks };
  }

  /** One transmission of a frame; its FCntUp stays, its channel changes. */
  #transmit(session: Session, uplink: Uplink, tryNumber: number): Promise<Downlink | undefined> {
    const channel = this.#random.pick(this.#mac.usableChannels());
    const { settings } = this.#mac;
    const { dr } = settings;
    const phyPayload = encodeUplink(session, uplink, { txDr: dr, txCh: channel });
    return new Promise((resolve) => {
      let accepted: Downlink | undefined;
      const heard = (frame: Heard, window: WindowName): boolean => {
        accepted = this.#receive(frame, window, uplink);
        return accepted !== undefined;
      };
      const flight = exchange(
        this.#radio,
        settings,
        { phyPayload, channel, dr, isJoin: false },
        { heard, closed: () => resolve(accepted) },
      );
      const { fCnt: fCntUp, confirmed, fPort, acknowledges } = uplink;
      this.#tell({
        is: "uplink",
        fCntUp,
        confirmed,
        tryNumber,
        hz: flight.hz,
        dr,
        airtimeUs: flight.airtimeUs,
        size: phyPayload.length,
        ...(fPort === undefined ? {} : { fPort }),
        ...(acknowledges === undefined ? {} : { acknowledges }),
      });
    });
  }

  #receive(frame: Heard, window: WindowName, uplink: { fCnt: number; confirmed: boolean }): Downlink | undefined {
    const lastConfirmedUp = uplink.confirmed ? uplink.fCnt : undefined;
    const { maxFCntGap } = rules[this.version];
    const received = receiveDownlink(this.#session as Session, frame.octets, { lastConfirmedUp, maxFCntGap });
    if ("refused" in received) {
      this.#tell({ is: "refused", window, reason: received.refused });
      return undefined;
    }
    const { accepted } = received;
    this.#session = received.session;
    const { names, facts } = this.#mac.accept(accepted.commands, frame.snr);
    const { fCnt: fCntDown, confirmed, ack, fPending, data } = accepted;
    this.#tell({
      is: "downlink",
      window,
      fCntDown,
      confirmed,
      ack,
      fPending,
      commands: names,
      rssi: frame.rssi,
      snr: frame.snr,
      ...(data === undefined ? {} : { data }),
    });
    for (const fact of facts) this.#tell(fact);
    return accepted;
  }

  #followUp(downlinks: readonly Downlink[]): void {
    const last = downlinks.at(-1);
    if (last === undefined || this.#stopped || this.#options.answersPromptly === false) return;
    if (!last.fPending && !last.confirmed) return;
    this.#enqueue(async () => {
      await this.#sleep(this.#random.between(0.5, 2) * second);
      if (!this.#stopped && (last.fPending || this.#session?.toAcknowledge !== undefined)) await this.#send({});
    });
  }
}

/** Keys of a personalised 1.0.x device. */
export const personalKeys = legacyKeys;
