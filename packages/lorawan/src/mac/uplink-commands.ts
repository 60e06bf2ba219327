/**
 * MAC commands sent by the end-device: one row per command, in CID order. To support another command, add a row.
 * Names of fields are the specification's; versions.ts says from which version a command exists.
 *
 * Spec: TS001-1.0.4 §5, §14 (class B); LoRaWAN 1.1 §5; TS011-1.0.1 §9 (relay)
 */
import { devAddrAt, flag, int, level, uint } from "./fields.ts";
import { type Command, command, commandCodec } from "./table.ts";

export const uplinkCommands = {
  /* 1.1 §5.1  */ ResetInd: command(0x01, 1, { minor: uint(0, 4) }),
  /* §5.1      */ LinkCheckReq: command(0x02, 0, {}),
  /* §5.2      */ LinkADRAns: command(0x03, 1, { channelMaskAck: flag(0), dataRateAck: flag(1), powerAck: flag(2) }),
  /* §5.3      */ DutyCycleAns: command(0x04, 0, {}),
  /* §5.4      */ RXParamSetupAns: command(0x05, 1, {
    channelAck: flag(0),
    rx2DataRateAck: flag(1),
    rx1DrOffsetAck: flag(2),
  }),
  /* §5.5      */ DevStatusAns: command(0x06, 2, { battery: uint(0, 8), snr: int(8, 6) }),
  /* §5.6      */ NewChannelAns: command(0x07, 1, { channelFrequencyOk: flag(0), dataRateRangeOk: flag(1) }),
  /* §5.7      */ RXTimingSetupAns: command(0x08, 0, {}),
  /* §5.8      */ TxParamSetupAns: command(0x09, 0, {}),
  /* §5.6      */ DlChannelAns: command(0x0a, 1, { channelFrequencyOk: flag(0), uplinkFrequencyExists: flag(1) }),
  /* 1.1 §5.10 */ RekeyInd: command(0x0b, 1, { minor: uint(0, 4) }),
  /* 1.1 §5.11 */ ADRParamSetupAns: command(0x0c, 0, {}),
  /* §5.9      */ DeviceTimeReq: command(0x0d, 0, {}),
  /* 1.1 §5.14 */ RejoinParamSetupAns: command(0x0f, 1, { timeOk: flag(0) }),
  /* §14.1     */ PingSlotInfoReq: command(0x10, 1, { periodicity: uint(0, 3) }),
  /* §14.3     */ PingSlotChannelAns: command(0x11, 1, { channelFrequencyOk: flag(0), dataRateOk: flag(1) }),
  /* 1.0.2 §14 */ BeaconTimingReq: command(0x12, 0, {}),
  /* §14.2     */ BeaconFreqAns: command(0x13, 1, { beaconFrequencyOk: flag(0) }),
  /* 1.1 §5.15: class 0 is A, 2 is C */ DeviceModeInd: command(0x20, 1, { class: uint(0, 8) }),
  /* TS011 */ RelayConfAns: command(0x40, 1, {
    secondChFreqAck: flag(0),
    secondChAckOffsetAck: flag(1),
    secondChDrAck: flag(2),
    secondChIdxAck: flag(3),
    defaultChIdxAck: flag(4),
    cadPeriodicityAck: flag(5),
  }),
  /* TS011 */ EndDeviceConfAns: command(0x41, 1, {
    secondChFreqAck: flag(0),
    secondChDrAck: flag(1),
    secondChIdxAck: flag(2),
    backOffAck: flag(3),
  }),
  /* TS011 */ FilterListAns: command(0x42, 1, {
    filterListActionAck: flag(0),
    filterListLenAck: flag(1),
    combinedRulesAck: flag(2),
  }),
  /* TS011 */ UpdateUplinkListAns: command(0x43, 0, {}),
  /* TS011 */ CtrlUplinkListAns: command(0x44, 5, { uplinkListIdxAck: flag(0), wFCnt: uint(8, 32) }),
  /* TS011 */ ConfigureFwdLimitAns: command(0x45, 0, {}),
  /* TS011: how the relay heard the WOR frame */ NotifyNewEndDeviceReq: command(0x46, 6, {
    devAddr: devAddrAt(0),
    worSnr: level(32, 5, -20, 1),
    worRssi: level(37, 7, -15, -1),
  }),
} as const;

export type UplinkCommand = Command<typeof uplinkCommands>;

/** Reads an FOpts field, or a decrypted FRMPayload of FPort 0. */
export const { decode: decodeUplinkCommands, encode: encodeUplinkCommand } = commandCodec(uplinkCommands);
