/**
 * A tiny network for the simulator's own tests, written with lora-packet so that a mistake in the simulator's codec
 * cannot cancel itself out. One gateway's worth of wits: it answers every frame at once, in the window it is told.
 */
import { createSocket } from "node:dgram";
import loraPacketModule from "lora-packet";
import { toHex } from "../src/octets.ts";
import type { DeviceCredentials } from "../src/scenario/credentials.ts";

/** Its types and its CommonJS exports disagree about where the default is. */
const lora = loraPacketModule as unknown as typeof loraPacketModule.default;
const key = (octets: Uint8Array | undefined) => Buffer.from(octets ?? new Uint8Array(16));

type StubSession = {
  readonly devEui: string;
  readonly devAddr: Buffer;
  readonly is11: boolean;
  readonly f: Buffer;
  readonly s: Buffer;
  readonly e: Buffer;
  readonly a: Buffer;
  nFCntDown: number;
  aFCntDown: number;
};
export type StubUplink = {
  devEui: string;
  fCnt: number;
  fPort: number | null;
  payload: string;
  confirmed: boolean;
  ack: boolean;
  fOpts: string;
};
export type StubAnswer = {
  readonly phyPayload: Buffer;
  readonly window: "RX1" | "RX2";
  readonly delayUs: number;
  readonly isJoin: boolean;
};

/** What the network shall say next, besides the ACKs that it owes. */
export type StubPlan = {
  window: "RX1" | "RX2";
  data?: { fPort: number; payload: Buffer };
  fOpts?: Buffer;
  confirmed?: boolean;
  /** Answers nothing at all, this many times. */
  silent: number;
  dlSettings: number;
  rxDelay: number;
  cfList?: Buffer;
  /** How rejoin-requests are answered. Default: by a join-accept. */
  rejoin?: "downlink";
  /** Replaces the answer just before it is sent. */
  tamper?: (phyPayload: Buffer) => Buffer;
};

export class StubNetwork {
  readonly uplinks: StubUplink[] = [];
  readonly joins: { devEui: string; devNonce: number }[] = [];
  readonly rejoins: { devEui: string; type: number; rjCount: number }[] = [];
  readonly refused: string[] = [];
  readonly plan: StubPlan = { window: "RX1", silent: 0, dlSettings: 0, rxDelay: 1 };
  readonly #devices: Map<string, DeviceCredentials>;
  readonly #sessions = new Map<string, StubSession>();
  joinNonce = 0x000100;
  #nextAddr = 0x00aa0000;

  constructor(devices: readonly DeviceCredentials[]) {
    this.#devices = new Map(devices.map((device) => [device.devEui, device]));
  }

  /** A personalised 1.0.x device. */
  addSession(devEui: string, devAddr: string, nwkSKey: Uint8Array, appSKey: Uint8Array): void {
    const n = key(nwkSKey);
    this.#sessions.set(devAddr, {
      ...{
        devEui,
        devAddr: Buffer.from(devAddr, "hex"),
        is11: false,
        f: n,
        s: n,
        e: n,
        a: key(appSKey),
        nFCntDown: 0,
        aFCntDown: 0,
      },
    });
  }

  heard(phyPayload: Uint8Array, radio: { hz: number; dr: number }): StubAnswer | undefined {
    const packet = lora.fromWire(Buffer.from(phyPayload));
    const isJoin = packet.isJoinRequestMessage() || packet.isRejoinRequestMessage();
    const answer = packet.isJoinRequestMessage()
      ? this.#join(packet)
      : packet.isRejoinRequestMessage()
        ? this.#rejoin(packet, phyPayload)
        : this.#data(packet, radio);
    if (answer === undefined) return undefined;
    if (this.plan.silent > 0) {
      this.plan.silent--;
      return undefined;
    }
    const first = isJoin ? 5 : this.plan.rxDelay;
    const delayUs = (first + (this.plan.window === "RX2" ? 1 : 0)) * 1_000_000;
    return {
      phyPayload: this.plan.tamper?.(answer) ?? answer,
      window: this.plan.window,
      delayUs,
      isJoin,
    };
  }

  #join(packet: ReturnType<typeof lora.fromWire>): Buffer | undefined {
    const devEui = toHex(packet.DevEUI as Buffer);
    const device = this.#devices.get(devEui);
    const root = key(device?.version === "1.1" ? device.keys.nwkKey : device?.keys.appKey);
    if (device === undefined || !lora.verifyMIC(packet, undefined, root)) {
      this.refused.push("join");
      return undefined;
    }
    const devNonce = packet.DevNonce as Buffer;
    this.joins.push({ devEui, devNonce: devNonce.readUInt16BE(0) });
    return this.#accept(device, packet.DevEUI as Buffer, { nonce: devNonce, joinReqType: 0xff, key: root });
  }

  #rejoin(packet: ReturnType<typeof lora.fromWire>, octets: Uint8Array): Buffer | undefined {
    const type = octets[1] as number;
    const eui = packet.DevEUI as Buffer;
    const devEui = toHex(eui);
    const device = this.#devices.get(devEui);
    if (device === undefined) return undefined;
    const { JSIntKey, JSEncKey } = lora.generateJSKeys(key(device.keys.nwkKey), eui);
    // A device may not have heard of the latest session.
    const session = [...this.#sessions.values()].find(
      (one) => one.devEui === devEui && lora.verifyMIC(packet, one.s, JSIntKey),
    );
    if (session === undefined) {
      this.refused.push("rejoin");
      return undefined;
    }
    // Just before the MIC, in every type: lora-packet looks for RJcount1 elsewhere.
    const rjCount = Buffer.from(octets.slice(-6, -4)).reverse();
    this.rejoins.push({ devEui, type, rjCount: rjCount.readUInt16BE(0) });
    if (this.plan.rejoin === "downlink") {
      const { fOpts: commands } = this.plan;
      return this.#downlink(session, undefined, { data: undefined, commands, confirmed: false });
    }
    return this.#accept(device, eui, { nonce: rjCount, joinReqType: type, key: JSEncKey });
  }

  /** `key`: what the accept is encrypted with. */
  #accept(
    device: DeviceCredentials,
    devEui: Buffer,
    { nonce, joinReqType, key: encryption }: { nonce: Buffer; joinReqType: number; key: Buffer },
  ): Buffer {
    const root = key(device.version === "1.1" ? device.keys.nwkKey : device.keys.appKey);
    const joinNonce = Buffer.from((this.joinNonce++).toString(16).padStart(6, "0"), "hex");
    const netId = Buffer.from("000013", "hex");
    const devAddr = Buffer.from((this.#nextAddr++).toString(16).padStart(8, "0"), "hex");
    const joinEui = Buffer.from(device.joinEui, "hex");
    const dlSettings = this.plan.dlSettings | (device.version === "1.1" ? 0x80 : 0);
    const is11 = (dlSettings & 0x80) !== 0 && device.version === "1.1";
    const accept = lora.fromFields(
      {
        ...{ MType: "Join Accept", AppNonce: joinNonce, NetID: netId, DevAddr: devAddr },
        ...{ DLSettings: Buffer.of(dlSettings), RxDelay: Buffer.of(this.plan.rxDelay) },
        ...{ CFList: this.plan.cfList ?? Buffer.alloc(0), DevNonce: nonce, AppEUI: joinEui },
        JoinReqType: Buffer.of(joinReqType),
      },
      undefined,
      is11 ? lora.generateJSKeys(root, devEui).JSIntKey : undefined,
      encryption,
    );
    const keys10 = is11 ? undefined : lora.generateSessionKeys10(root, netId, joinNonce, nonce);
    const keys11 = is11
      ? lora.generateSessionKeys11(key(device.keys.appKey), root, joinEui, joinNonce, nonce)
      : undefined;
    const n = keys10?.NwkSKey as Buffer;
    this.#sessions.set(devAddr.toString("hex"), {
      ...{ devEui: toHex(devEui), devAddr, is11, nFCntDown: 0, aFCntDown: 0 },
      ...{ f: keys11?.FNwkSIntKey ?? n, s: keys11?.SNwkSIntKey ?? n, e: keys11?.NwkSEncKey ?? n },
      a: (keys11?.AppSKey ?? keys10?.AppSKey) as Buffer,
    });
    return accept.PHYPayload as Buffer;
  }

  #data(packet: ReturnType<typeof lora.fromWire>, radio: { hz: number; dr: number }): Buffer | undefined {
    const session = this.#sessions.get((packet.DevAddr as Buffer).toString("hex"));
    if (session === undefined) return undefined;
    const fCnt = packet.getFCnt() as number;
    const channel = [
      868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000,
    ].indexOf(radio.hz);
    const radioBlock = Buffer.of(0, 0, radio.dr, channel);
    const isGood = session.is11
      ? lora.verifyMIC(packet, session.f, session.s, undefined, radioBlock)
      : lora.verifyMIC(packet, session.f);
    if (!isGood) {
      this.refused.push("data");
      return undefined;
    }
    const fOpts = session.is11 && packet.FOpts?.length ? packet.decryptFOpts(session.e) : (packet.FOpts as Buffer);
    const payload = packet.FRMPayload?.length ? lora.decrypt(packet, session.a, session.e) : Buffer.alloc(0);
    this.uplinks.push({
      ...{
        devEui: session.devEui,
        fCnt,
        fPort: packet.getFPort(),
        payload: payload.toString("hex"),
        confirmed: packet.isConfirmed(),
      },
      ...{ ack: packet.getFCtrlACK() === true, fOpts: fOpts.toString("hex") },
    });
    const { data, fOpts: commands, confirmed } = this.plan;
    if (!packet.isConfirmed() && data === undefined && commands === undefined) return undefined;
    return this.#downlink(session, packet.isConfirmed() ? fCnt : undefined, {
      data,
      commands,
      confirmed: confirmed ?? false,
    });
  }

  #downlink(
    session: StubSession,
    acks: number | undefined,
    { data, commands, confirmed }: { data: StubPlan["data"]; commands: Buffer | undefined; confirmed: boolean },
  ): Buffer {
    const counter = session.is11 && data !== undefined ? "aFCntDown" : "nFCntDown";
    const fields = {
      ...{
        MType: confirmed ? "Confirmed Data Down" : "Unconfirmed Data Down",
        DevAddr: session.devAddr,
        FCnt: session[counter]++,
      },
      ...{
        FCtrl: { ACK: acks !== undefined },
        FOpts: commands ?? Buffer.alloc(0),
        payload: data?.payload ?? Buffer.alloc(0),
      },
      ...(data === undefined ? {} : { FPort: data.fPort }),
    };
    const packet = lora.fromFields(fields, session.a);
    if (session.is11) {
      packet.encryptFOpts(session.e);
      const conf = Buffer.alloc(2);
      conf.writeUInt16LE(acks ?? 0);
      lora.recalculateMIC(packet, undefined, session.s, undefined, conf);
    } else lora.recalculateMIC(packet, session.f);
    return packet.PHYPayload as Buffer;
  }
}

const drOf = (datr: string): number => 12 - Number(/^SF(\d+)/.exec(datr)?.[1]);

/** The same network behind a UDP socket. */
export async function serveUdp(network: StubNetwork, { downlinkOffsetUs = 0 } = {}) {
  const socket = createSocket("udp4");
  const acks: string[] = [];
  const reporters = new Map<string, string>();
  const pulls = new Map<string, { address: string; port: number }>();
  socket.on("message", (datagram, peer) => {
    const eui = datagram.subarray(4, 12).toString("hex");
    const head = [2, datagram[1] as number, datagram[2] as number];
    if (datagram[3] === 2) {
      pulls.set(eui, peer);
      socket.send(Buffer.from([...head, 4]), peer.port, peer.address);
    } else if (datagram[3] === 5) acks.push(datagram.subarray(12).toString());
    else if (datagram[3] === 0) {
      socket.send(Buffer.from([...head, 1]), peer.port, peer.address);
      const body = JSON.parse(datagram.subarray(12).toString()) as {
        rxpk?: { tmst: number; freq: number; datr: string; data: string }[];
      };
      for (const { tmst, freq, datr, data } of body.rxpk ?? []) {
        // The first gateway to report a frame answers it.
        if (reporters.get(data) !== undefined && reporters.get(data) !== eui) continue;
        reporters.set(data, eui);
        const answer = network.heard(Buffer.from(data, "base64"), { hz: Math.round(freq * 1e6), dr: drOf(datr) });
        const to = pulls.get(eui);
        if (answer === undefined || to === undefined) continue;
        const radio = answer.window === "RX1" ? { freq, datr } : { freq: 869.525, datr: "SF12BW125" };
        const txpk = {
          ...{
            imme: false,
            tmst: (tmst + answer.delayUs + downlinkOffsetUs) >>> 0,
            rfch: 0,
            powe: 14,
            modu: "LORA",
            codr: "4/5",
            ipol: true,
            ncrc: true,
          },
          ...{ ...radio, size: answer.phyPayload.length, data: answer.phyPayload.toString("base64") },
        };
        socket.send(
          Buffer.concat([Buffer.from([2, 0, 7, 3]), Buffer.from(JSON.stringify({ txpk }))]),
          to.port,
          to.address,
        );
      }
    }
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    port: socket.address().port,
    acks,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}
