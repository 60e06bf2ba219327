/**
 * A virtual LoRaWAN end-device, class A. One exchange at a time; all else waits in a queue, as in real firmware.
 * TS001-1.0.4, TS001-1.0.3 and TS001-1.1 where `rules` says they differ.
 */
import { legacyKeys, type SessionKeys } from "../crypto/session-keys.ts";
import type { Clock } from "../radio/clock.ts";
import type { Heard, Medium } from "../radio/medium.ts";
import type { Place } from "../radio/propagation.ts";
import type { Random } from "../random.ts";
import type { Region } from "../regions/index.ts";
import type { DeviceEvent, DeviceFact } from "./events.ts";
import { type Identity, joinRequest, joinTry, openJoinAccept, type RootKeys, settingsAfterJoin } from "./join.ts";
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
export type DeviceMemory = { devNonce: number; joinNonce: number };

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
      this.#session = { protocol, devAddr, keys, fCntUp, nFCntDown: -1, aFCntDown: -1 };
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

  #joinOnce(n: number): Promise<boolean> {
    const { keys, joinEui } = this.#options;
    if (keys === undefined) throw new RangeError("a personalised device cannot join");
    const identity: Identity = { devEui: this.devEui, joinEui, version: this.version, keys };
    const { region } = this.#radio;
    const { channel, dr } = joinTry(region, n, this.#random);
    const devNonce = this.#nextDevNonce();
    const phyPayload = joinRequest(identity, devNonce);
    const settings = defaultSettings(region, dr);
    return new Promise((resolve) => {
      let joined = false;
      const heard = (frame: Heard, window: WindowName): boolean => {
        const opened = openJoinAccept(identity, frame.octets, { devNonce, lastJoinNonce: this.memory.joinNonce });
        if ("refused" in opened) {
          this.#tell({ is: "refused", window, reason: opened.refused });
          return false;
        }
        const { accept, session } = opened;
        this.memory.joinNonce = accept.joinNonce;
        this.#session = session;
        this.#mac.begin(
          settingsAfterJoin(region, settings, accept),
          session.protocol === "1.1" ? "RekeyInd" : undefined,
        );
        joined = true;
        this.#tell({
          is: "joined",
          window,
          devAddr: session.devAddr,
          joinNonce: accept.joinNonce,
          protocol: session.protocol,
        });
        return true;
      };
      const flight = exchange(
        this.#radio,
        settings,
        { phyPayload, channel, dr, isJoin: true },
        { heard, closed: () => resolve(joined) },
      );
      const { hz, airtimeUs } = flight;
      this.#tell({ is: "join-request", devNonce, tryNumber: n + 1, hz, dr, airtimeUs, size: phyPayload.length });
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
