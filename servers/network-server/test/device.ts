/** A device for tests: makes uplinks and reads downlinks with packages/lorawan. (apps/simulator is the stranger that judges; here only the server's behaviour is looked at.) */
import {
  cmac4,
  concat,
  cryptFOpts,
  cryptFrmPayload,
  type DataDown,
  type DevAddr,
  type DevEui,
  decodeDownlinkCommands,
  decodeJoinAcceptFields,
  decodePhyPayload,
  decryptJoinAccept,
  deriveJsEncKey,
  deriveJsIntKey,
  deriveSessionKeys10,
  deriveSessionKeys11,
  encodePhyPayload,
  encodeUplinkCommand,
  isRefused,
  type JoinAcceptFields,
  type JoinEui,
  joinAcceptMic10,
  joinAcceptMic11,
  KeySchedule,
  mic10,
  mic11Up,
  type NetId,
  type UplinkCommand,
  verifyMic10,
  verifyMic11Down,
  writeMic,
} from "@trefoil/lorawan";

export const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
export type DeviceKeys = {
  readonly fNwkSIntKey: Uint8Array;
  readonly sNwkSIntKey: Uint8Array;
  readonly nwkSEncKey: Uint8Array;
  readonly appSKey: Uint8Array;
};
export type Version = "1.0.4" | "1.1";
export type Sent = {
  readonly payload?: Uint8Array;
  readonly fPort?: number;
  readonly confirmed?: boolean;
  readonly ack?: boolean;
  readonly adrAckReq?: boolean;
  readonly commands?: readonly UplinkCommand[];
  readonly fCnt?: number;
  /** 1.1: what the MIC binds. */
  readonly txDr?: number;
  readonly txCh?: number;
  readonly confFCnt?: number;
};

export class TestDevice {
  readonly version: Version;
  readonly devEui: string;
  readonly joinEui: string;
  devAddr = "";
  keys: DeviceKeys | undefined;
  fCntUp = 0;
  constructor(version: Version, devEui: string, joinEui = "70b3d57ed0000001") {
    this.version = version;
    this.devEui = devEui;
    this.joinEui = joinEui;
  }

  joinRequest(rootKey: Uint8Array, devNonce: number): Uint8Array {
    const octets = encodePhyPayload({
      type: "JoinRequest",
      joinEui: this.joinEui as JoinEui,
      devEui: this.devEui as DevEui,
      devNonce,
    });
    octets.set(cmac4(rootKey, octets.subarray(0, 19)), 19);
    return octets;
  }

  rejoinRequest(
    rejoinType: 0 | 1 | 2,
    rjCount: number,
    more: { netId?: string; rootKey?: Uint8Array } = {},
  ): Uint8Array {
    const { netId = "000000", rootKey } = more;
    const devEui = this.devEui as DevEui;
    const whom = { type: "RejoinRequest", devEui, rjCount } as const;
    const octets =
      rejoinType === 1
        ? encodePhyPayload({ ...whom, rejoinType, joinEui: this.joinEui as JoinEui })
        : encodePhyPayload({ ...whom, rejoinType, netId: netId as NetId });
    const key = rootKey ? deriveJsIntKey(rootKey, devEui) : (this.keys as DeviceKeys).sNwkSIntKey;
    octets.set(cmac4(key, octets.subarray(0, -4)), octets.length - 4);
    return octets;
  }

  /** Takes the session of a join-accept; undefined when its MIC is wrong. `joinReqType`: what it answers, with DevNonce or RJcount. */
  accept(
    phyPayload: Uint8Array,
    rootKey: Uint8Array,
    appKey: Uint8Array,
    nonce: number,
    joinReqType: 0 | 1 | 2 | 0xff = 0xff,
  ): JoinAcceptFields | undefined {
    const encryption = joinReqType === 0xff ? rootKey : deriveJsEncKey(rootKey, this.devEui as DevEui);
    const clear = decryptJoinAccept(encryption, phyPayload);
    if (!clear) return undefined;
    const fields = decodeJoinAcceptFields(clear.fields);
    if (isRefused(fields)) return undefined;
    const context = { joinReqType, joinEui: this.joinEui as JoinEui, devNonce: nonce } as const;
    const mic = fields.dlSettings.optNeg
      ? joinAcceptMic11(deriveJsIntKey(rootKey, this.devEui as DevEui), context, clear.fields)
      : joinAcceptMic10(rootKey, clear.fields);
    if (Buffer.compare(mic, clear.mic) !== 0) return undefined;
    this.devAddr = fields.devAddr;
    this.fCntUp = 0;
    if (fields.dlSettings.optNeg) {
      this.keys = deriveSessionKeys11(rootKey, appKey, fields.joinNonce, this.joinEui as JoinEui, nonce);
    } else {
      const { nwkSKey, appSKey } = deriveSessionKeys10(rootKey, fields.joinNonce, fields.netId, nonce);
      this.keys = { fNwkSIntKey: nwkSKey, sNwkSIntKey: nwkSKey, nwkSEncKey: nwkSKey, appSKey };
    }
    return fields;
  }

  uplink(sent: Sent = {}): Uint8Array {
    const keys = this.#schedules();
    const { payload = new Uint8Array(0), confirmed = false, ack = false, adrAckReq = false, commands = [] } = sent;
    const fPort = sent.fPort ?? (payload.length > 0 ? 1 : undefined);
    const fCnt = sent.fCnt ?? this.fCntUp++;
    const devAddr = Number.parseInt(this.devAddr, 16);
    const clear = concat(commands.map(encodeUplinkCommand));
    const isEncrypted = this.version === "1.1" && clear.length > 0;
    const octets = encodePhyPayload({
      type: confirmed ? "ConfirmedDataUp" : "UnconfirmedDataUp",
      devAddr: this.devAddr as DevAddr,
      adr: false,
      adrAckReq,
      ack,
      classB: false,
      fCnt: fCnt % 65536,
      fOpts: isEncrypted ? cryptFOpts(keys.nwkSEncKey, "FCntUp", devAddr, fCnt, clear) : clear,
      fPort,
      frmPayload: cryptFrmPayload(fPort === 0 ? keys.nwkSEncKey : keys.appSKey, "up", devAddr, fCnt, payload),
    });
    const end = octets.length - 4;
    const context = { confFCnt: sent.confFCnt ?? 0, txDr: sent.txDr ?? 5, txCh: sent.txCh ?? 0 };
    writeMic(
      octets,
      this.version === "1.1"
        ? mic11Up(keys.sNwkSIntKey, keys.fNwkSIntKey, fCnt, context, octets, end)
        : mic10(keys.fNwkSIntKey, "up", fCnt, octets, end),
    );
    return octets;
  }

  /** What the device makes of a downlink with this counter; undefined when its MIC is wrong. */
  hear(phyPayload: Uint8Array, fCntDown: number, confFCnt = 0) {
    const keys = this.#schedules();
    const isGood =
      this.version === "1.1"
        ? verifyMic11Down(keys.sNwkSIntKey, fCntDown, confFCnt, phyPayload)
        : verifyMic10(keys.fNwkSIntKey, "down", fCntDown, phyPayload);
    if (!isGood) return undefined;
    const frame = decodePhyPayload(phyPayload) as DataDown;
    const devAddr = Number.parseInt(this.devAddr, 16);
    const kind = frame.fPort ? "AFCntDown" : "NFCntDown";
    const fOpts =
      this.version === "1.1" ? cryptFOpts(keys.nwkSEncKey, kind, devAddr, fCntDown, frame.fOpts) : frame.fOpts;
    return {
      ...frame,
      commands: decodeDownlinkCommands(fOpts).commands,
      payload: cryptFrmPayload(keys.appSKey, "down", devAddr, fCntDown, frame.frmPayload),
    };
  }

  /** The application-server's part. */
  encryptDown(fCntDown: number, payload: Uint8Array): Uint8Array {
    return cryptFrmPayload(this.#schedules().appSKey, "down", Number.parseInt(this.devAddr, 16), fCntDown, payload);
  }

  #schedules() {
    if (!this.keys) throw new Error("the device has not joined");
    const { fNwkSIntKey, sNwkSIntKey, nwkSEncKey, appSKey } = this.keys;
    return {
      fNwkSIntKey: new KeySchedule(fNwkSIntKey),
      sNwkSIntKey: new KeySchedule(sNwkSIntKey),
      nwkSEncKey: new KeySchedule(nwkSEncKey),
      appSKey: new KeySchedule(appSKey),
    };
  }
}
