/**
 * Result codes: one row each, with its spelling in each version of the protocol. TS002-1.0.0 misspells UnknownReceiver, and has no
 * MalformedMessage, NoAction or FrameReplayed; peers are known to send either spelling in either version, so all are read.
 *
 * Spec: TS002-1.0.0 §8.3, TS002-1.1.0
 */
import type { ProtocolVersion } from "./version.ts";

type Spelling = { readonly [version in ProtocolVersion]: string };
const inBoth = <Name extends string>(name: Name): { readonly [version in ProtocolVersion]: Name } => ({
  "1.0": name,
  "1.1": name,
});

export const resultCodes = {
  Success: inBoth("Success"),
  MICFailed: inBoth("MICFailed"),
  JoinReqFailed: inBoth("JoinReqFailed"),
  NoRoamingAgreement: inBoth("NoRoamingAgreement"),
  DevRoamingDisallowed: inBoth("DevRoamingDisallowed"),
  RoamingActDisallowed: inBoth("RoamingActDisallowed"),
  ActivationDisallowed: inBoth("ActivationDisallowed"),
  UnknownDevEUI: inBoth("UnknownDevEUI"),
  UnknownDevAddr: inBoth("UnknownDevAddr"),
  UnknownSender: inBoth("UnknownSender"),
  UnknownReceiver: { "1.0": "UnkownReceiver", "1.1": "UnknownReceiver" },
  Deferred: inBoth("Deferred"),
  XmitFailed: inBoth("XmitFailed"),
  InvalidFPort: inBoth("InvalidFPort"),
  InvalidProtocolVersion: inBoth("InvalidProtocolVersion"),
  StaleDeviceProfile: inBoth("StaleDeviceProfile"),
  MalformedRequest: { "1.0": "MalformedRequest", "1.1": "MalformedMessage" },
  FrameSizeError: inBoth("FrameSizeError"),
  NoAction: { "1.0": "Other", "1.1": "NoAction" },
  FrameReplayed: { "1.0": "Other", "1.1": "FrameReplayed" },
  Other: inBoth("Other"),
} as const satisfies { readonly [code: string]: Spelling };
export type ResultCode = keyof typeof resultCodes;

const codes = Object.keys(resultCodes) as ResultCode[];
const byText = new Map<string, ResultCode>(
  codes
    .toReversed()
    .flatMap((code) => [code, ...Object.values(resultCodes[code])].map((text) => [text, code] as const)),
);
byText.set("Other", "Other"); // also the fallback spelling of others

/** The code that a peer's text means, in any version's spelling. */
export const resultCodeOf = (text: string): ResultCode => byText.get(text) ?? "Other";

export const spelledIn = (code: ResultCode, version: ProtocolVersion): string => resultCodes[code][version];
