/**
 * MAC commands as a device meets them: the octets after the CID. One row per command.
 * TS001-1.0.4 §5, TS001-1.1 §5. Commands carry no length, so the first unknown or cut-off one ends the stream.
 */
import { concat } from "./octets.ts";

/** What a network sends: CID → name and size. */
const fromNetwork = {
  ResetConf: [0x01, 1],
  LinkCheckAns: [0x02, 2],
  LinkADRReq: [0x03, 4],
  DutyCycleReq: [0x04, 1],
  RXParamSetupReq: [0x05, 4],
  DevStatusReq: [0x06, 0],
  NewChannelReq: [0x07, 5],
  RXTimingSetupReq: [0x08, 1],
  TxParamSetupReq: [0x09, 1],
  DlChannelReq: [0x0a, 4],
  RekeyConf: [0x0b, 1],
  ADRParamSetupReq: [0x0c, 1],
  DeviceTimeAns: [0x0d, 5],
  ForceRejoinReq: [0x0e, 2],
  RejoinParamSetupReq: [0x0f, 1],
  PingSlotInfoAns: [0x10, 0],
  PingSlotChannelReq: [0x11, 4],
  BeaconTimingAns: [0x12, 3],
  BeaconFreqReq: [0x13, 3],
  DeviceModeConf: [0x20, 1],
} as const satisfies Record<string, readonly [cid: number, size: number]>;

/** What a device sends. `sticky` answers are repeated in every uplink until a class A downlink was heard. */
const fromDevice = {
  ResetInd: { cid: 0x01, sticky: false },
  LinkCheckReq: { cid: 0x02, sticky: false },
  LinkADRAns: { cid: 0x03, sticky: false },
  DutyCycleAns: { cid: 0x04, sticky: false },
  RXParamSetupAns: { cid: 0x05, sticky: true },
  DevStatusAns: { cid: 0x06, sticky: false },
  NewChannelAns: { cid: 0x07, sticky: false },
  RXTimingSetupAns: { cid: 0x08, sticky: true },
  TxParamSetupAns: { cid: 0x09, sticky: true },
  DlChannelAns: { cid: 0x0a, sticky: true },
  RekeyInd: { cid: 0x0b, sticky: false },
  ADRParamSetupAns: { cid: 0x0c, sticky: false },
  DeviceTimeReq: { cid: 0x0d, sticky: false },
  RejoinParamSetupAns: { cid: 0x0f, sticky: false },
} as const satisfies Record<string, { cid: number; sticky: boolean }>;

export type NetworkCommandName = keyof typeof fromNetwork;
export type DeviceCommandName = keyof typeof fromDevice;
export type NetworkCommand = { readonly name: NetworkCommandName; readonly body: Uint8Array };
export type DeviceCommand = { readonly name: DeviceCommandName; readonly body: Uint8Array };

const byCid = new Map<number, { name: NetworkCommandName; size: number }>();
for (const [name, [cid, size]] of Object.entries(fromNetwork))
  byCid.set(cid, { name: name as NetworkCommandName, size });

/** `rest` is what could not be named. */
export function decodeNetworkCommands(octets: Uint8Array): { commands: readonly NetworkCommand[]; rest: Uint8Array } {
  const commands: NetworkCommand[] = [];
  let at = 0;
  while (at < octets.length) {
    const row = byCid.get(octets[at] ?? 0);
    if (row === undefined || at + 1 + row.size > octets.length) break;
    commands.push({ name: row.name, body: octets.slice(at + 1, at + 1 + row.size) });
    at += 1 + row.size;
  }
  return { commands, rest: octets.slice(at) };
}

export const deviceCommand = (name: DeviceCommandName, ...body: readonly number[]): DeviceCommand => ({
  name,
  body: Uint8Array.from(body),
});
export const isSticky = ({ name }: DeviceCommand): boolean => fromDevice[name].sticky;

/** As many whole commands, in order, as fit; the others are left out (TS001-1.0.4 §5). */
export function encodeDeviceCommands(commands: readonly DeviceCommand[], room: number): Uint8Array {
  let octets: Uint8Array = new Uint8Array(0);
  for (const { name, body } of commands) {
    if (octets.length + 1 + body.length > room) break;
    octets = concat(octets, Uint8Array.of(fromDevice[name].cid), body);
  }
  return octets;
}
