/**
 * MAC commands sent by the network: one row per command, in CID order. To support another command, add a row.
 * Frequencies are in Hz.
 *
 * Spec: TS001-1.0.4 §5, §14 (class B); LoRaWAN 1.1 §5; TS011-1.0.1 §9 (relay)
 */
import { devAddrAt, flag, frequency, octetsAt, uint } from "./fields.ts";
import { type Command, command, commandCodec, type Row } from "./table.ts";

/** TS011: rule `index` of the relay's join filter; `eui` is the start of JoinEUI ‖ DevEUI as on the air, 0 to 16 octets. */
type FilterListReq = {
  readonly filterListIdx: number;
  readonly filterListAction: number;
  readonly filterListEui: Uint8Array;
};
const filterList = command(0x42, 2, { length: uint(0, 5), filterListAction: uint(5, 2), filterListIdx: uint(7, 4) });
const filterListReq: Row<FilterListReq> = {
  cid: 0x42,
  // More than 16 octets of EUIs cannot be meant.
  sizeAt: (octets, at) => {
    const length = (octets[at] ?? 0) & 0x1f;
    return length <= 16 ? 2 + length : Number.NaN;
  },
  read: (octets, at, size) => {
    const { filterListIdx, filterListAction } = filterList.read(octets, at, 2);
    return { filterListIdx, filterListAction, filterListEui: octets.slice(at + 2, at + size) };
  },
  write: ({ filterListEui, ...rest }) => {
    if (filterListEui.length > 16) throw new RangeError("a filter rule has at most 16 octets");
    const octets = new Uint8Array(2 + filterListEui.length);
    octets.set(filterList.write({ ...rest, length: filterListEui.length }));
    octets.set(filterListEui, 2);
    return octets;
  },
};

export const downlinkCommands = {
  /* 1.1 §5.1  */ ResetConf: command(0x01, 1, { minor: uint(0, 4) }),
  /* §5.1      */ LinkCheckAns: command(0x02, 2, { margin: uint(0, 8), gwCnt: uint(8, 8) }),
  /* §5.2      */ LinkADRReq: command(0x03, 4, {
    dataRate: uint(4, 4),
    txPower: uint(0, 4),
    chMask: uint(8, 16),
    chMaskCntl: uint(28, 3),
    nbTrans: uint(24, 4),
  }),
  /* §5.3      */ DutyCycleReq: command(0x04, 1, { maxDutyCycle: uint(0, 4) }),
  /* §5.4      */ RXParamSetupReq: command(0x05, 4, {
    rx1DrOffset: uint(4, 3),
    rx2DataRate: uint(0, 4),
    frequency: frequency(8),
  }),
  /* §5.5      */ DevStatusReq: command(0x06, 0, {}),
  /* §5.6      */ NewChannelReq: command(0x07, 5, {
    chIndex: uint(0, 8),
    frequency: frequency(8),
    minDr: uint(32, 4),
    maxDr: uint(36, 4),
  }),
  /* §5.7      */ RXTimingSetupReq: command(0x08, 1, { delay: uint(0, 4) }),
  /* §5.8      */ TxParamSetupReq: command(0x09, 1, {
    maxEirp: uint(0, 4),
    uplinkDwellTime: flag(4),
    downlinkDwellTime: flag(5),
  }),
  /* §5.6      */ DlChannelReq: command(0x0a, 4, { chIndex: uint(0, 8), frequency: frequency(8) }),
  /* 1.1 §5.10 */ RekeyConf: command(0x0b, 1, { minor: uint(0, 4) }),
  /* 1.1 §5.11 */ ADRParamSetupReq: command(0x0c, 1, { limitExp: uint(4, 4), delayExp: uint(0, 4) }),
  /* §5.9: GPS seconds and 1/256 s */ DeviceTimeAns: command(0x0d, 5, { seconds: uint(0, 32), fraction: uint(32, 8) }),
  /* 1.1 §5.13 */ ForceRejoinReq: command(0x0e, 2, {
    dataRate: uint(0, 4),
    rejoinType: uint(4, 3),
    maxRetries: uint(8, 3),
    period: uint(11, 3),
  }),
  /* 1.1 §5.14 */ RejoinParamSetupReq: command(0x0f, 1, { maxTimeN: uint(4, 4), maxCountN: uint(0, 4) }),
  /* §14.1     */ PingSlotInfoAns: command(0x10, 0, {}),
  /* §14.3     */ PingSlotChannelReq: command(0x11, 4, { frequency: frequency(0), dataRate: uint(24, 4) }),
  /* 1.0.2 §14 */ BeaconTimingAns: command(0x12, 3, { delay: uint(0, 16), channel: uint(16, 8) }),
  /* §14.2     */ BeaconFreqReq: command(0x13, 3, { frequency: frequency(0) }),
  /* 1.1 §5.15: class 0 is A, 2 is C */ DeviceModeConf: command(0x20, 1, { class: uint(0, 8) }),
  /* TS011 */ RelayConfReq: command(0x40, 5, {
    secondChAckOffset: uint(0, 3),
    secondChDr: uint(3, 4),
    secondChIdx: uint(7, 2),
    defaultChIdx: uint(9, 1),
    cadPeriodicity: uint(10, 3),
    startStop: uint(13, 1),
    secondChFreq: frequency(16),
  }),
  /* TS011 */ EndDeviceConfReq: command(0x41, 6, {
    smartEnableLevel: uint(0, 2),
    relayModeActivation: uint(2, 2),
    secondChAckOffset: uint(8, 3),
    secondChDr: uint(11, 4),
    secondChIdx: uint(15, 2),
    backOff: uint(17, 6),
    secondChFreq: frequency(24),
  }),
  /* TS011 */ FilterListReq: filterListReq,
  /* TS011: carries a key in the clear; never log one */ UpdateUplinkListReq: command(0x43, 26, {
    uplinkListIdx: uint(0, 4),
    reloadRate: uint(8, 6),
    bucketSize: uint(14, 2),
    devAddr: devAddrAt(2),
    wFCnt: uint(48, 32),
    rootWorSKey: octetsAt(10, 16),
  }),
  /* TS011 */ CtrlUplinkListReq: command(0x44, 1, { uplinkListIdx: uint(0, 4), ctrlUplinkAction: uint(4, 1) }),
  /* TS011 */ ConfigureFwdLimitReq: command(0x45, 5, {
    overallReloadRate: uint(0, 7),
    globalUplinkReloadRate: uint(7, 7),
    notifyReloadRate: uint(14, 7),
    joinReqReloadRate: uint(21, 7),
    resetLimitCounter: uint(28, 2),
    overallLimitSize: uint(32, 2),
    globalUplinkLimitSize: uint(34, 2),
    notifyLimitSize: uint(36, 2),
    joinReqLimitSize: uint(38, 2),
  }),
} as const;

export type DownlinkCommand = Command<typeof downlinkCommands>;

/** Reads an FOpts field, or a decrypted FRMPayload of FPort 0. */
export const { decode: decodeDownlinkCommands, encode: encodeDownlinkCommand } = commandCodec(downlinkCommands);
