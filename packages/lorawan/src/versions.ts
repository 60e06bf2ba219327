/**
 * What differs between MAC versions, as named questions: rows are rules, columns are versions. This is the only code
 * that compares versions; elsewhere one asks `rules(session.macVersion).devNonceIsCounter`.
 */
export const macVersions = ["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.1"] as const;
export type MacVersion = (typeof macVersions)[number];

export const isMacVersion = (text: unknown): text is MacVersion => macVersions.some((version) => version === text);

type Column<T> = readonly [v100: T, v101: T, v102: T, v103: T, v104: T, v11: T];
const no = false;
const yes = true;
const none = undefined;
const gap = 16384;

const table = {
  /** DevNonce counts up and is persisted; JoinNonce rises (TS001-1.0.4 §6.2.5, §6.2.6; 1.1 §6.2.2). Earlier: DevNonce is random. */
  devNonceIsCounter: [no, no, no, no, yes, yes],
  /** A device checks that JoinNonce is larger than the last one (TS001-1.0.4 §6.2.6; 1.1 §6.2.3). */
  joinNonceMustRise: [no, no, no, no, yes, yes],
  /** Receivers drop a frame when more than so many are missing (LoRaWAN 1.0.3 §4.3.1.5; gone from TS001-1.0.4). */
  maxFCntGap: [gap, gap, gap, gap, none, none],
  /** A personalised device must have a DevEUI (TS001-1.0.4 §6.1). */
  abpNeedsDevEui: [no, no, no, no, yes, yes],
  /** LinkADRReq's DataRate and TXPower 15 mean "keep" (TS001-1.0.4 §5.2; 1.1 §5.3). */
  linkAdrKeep: [no, no, no, no, yes, yes],
  /** DlChannelReq (1.0.2 §5.7). */
  dlChannel: [no, no, yes, yes, yes, yes],
  /** TxParamSetupReq (1.0.2 §5.8). */
  txParamSetup: [no, no, yes, yes, yes, yes],
  /** DeviceTimeReq (1.0.3 §5.9). */
  deviceTime: [no, no, no, yes, yes, yes],
  /** BeaconTimingReq still has a meaning (deprecated from 1.0.3 §14 on). */
  beaconTiming: [yes, yes, yes, no, no, no],
  /** FOpts are encrypted (1.1 §4.3.1.6). */
  encryptsFOpts: [no, no, no, no, no, yes],
  /** Two root keys, three network session keys (1.1 §6.1). Earlier: one of each. */
  separateNetworkKeys: [no, no, no, no, no, yes],
  /** NFCntDown and AFCntDown instead of one FCntDown (1.1 §4.3.1.5). */
  twoFCntDown: [no, no, no, no, no, yes],
  /** An ACK is bound to the frame that it acknowledges (1.1 §4.4: ConfFCnt). */
  bindsAck: [no, no, no, no, no, yes],
  /** Rejoin-requests, ForceRejoinReq, RejoinParamSetupReq (1.1 §6.2.4, §5.13, §5.14). */
  rejoins: [no, no, no, no, no, yes],
  /** RekeyInd until RekeyConf after a join, ResetInd of personalised devices (1.1 §5.1, §5.10). */
  rekeyInd: [no, no, no, no, no, yes],
  /** ADRParamSetupReq (1.1 §5.11). */
  adrParamSetup: [no, no, no, no, no, yes],
  /** DeviceModeInd (1.1 §18.1.1). */
  deviceMode: [no, no, no, no, no, yes],
} as const satisfies { readonly [rule: string]: Column<unknown> };

export type VersionRules = {
  readonly [Rule in keyof typeof table]: (typeof table)[Rule][number] extends boolean ? boolean : number | undefined;
};

const byVersion = new Map(
  macVersions.map((version, column) => [
    version,
    Object.freeze(Object.fromEntries(Object.entries(table).map(([rule, row]) => [rule, row[column]]))) as VersionRules,
  ]),
);

export function rules(version: MacVersion): VersionRules {
  const found = byVersion.get(version);
  if (!found) throw new RangeError(`${version} is no MAC version`);
  return found;
}
