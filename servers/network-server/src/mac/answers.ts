/** What the network answers to MAC commands of a device. Pure. Answers of the device to our requests are only named here. */
import { encodeDownlinkCommand, type UplinkCommand, type VersionRules } from "@trefoil/lorawan";

export type MacContext = {
  readonly rules: VersionRules;
  /** The session was made by a join: RekeyInd belongs to it, ResetInd to personalised devices (LoRaWAN 1.1 §5.1, §5.10). */
  readonly joined: boolean;
  /** dB over the demodulation floor, of the gateway that heard it best. */
  readonly marginDb: number;
  readonly gateways: number;
  /** GPS time at the end of the uplink, in milliseconds. */
  readonly gpsTimeMs: number;
};

/** LoRaWAN 1.1: the minor version that we speak. */
const minor = 1;
const clamp = (value: number, most: number) => Math.max(0, Math.min(most, Math.floor(value)));

/** The encoded answers, one for each kind of request: at most 13 octets, so they always fit FOpts. */
export function answerCommands(commands: readonly UplinkCommand[], context: MacContext): readonly Uint8Array[] {
  const answered = new Set<string>();
  return commands.flatMap((command) => {
    if (answered.has(command.name)) return [];
    answered.add(command.name);
    const answer = answerOf(command, context);
    return answer ? [encodeDownlinkCommand(answer)] : [];
  });
}

function answerOf(command: UplinkCommand, { rules, joined, marginDb, gateways, gpsTimeMs }: MacContext) {
  switch (command.name) {
    case "LinkCheckReq": // TS001-1.0.4 §5.1: 255 is reserved
      return { name: "LinkCheckAns", margin: clamp(marginDb, 254), gwCnt: clamp(gateways, 255) } as const;
    case "DeviceTimeReq": // TS001-1.0.4 §5.9
      if (!rules.deviceTime) return undefined;
      return {
        name: "DeviceTimeAns",
        seconds: Math.floor(gpsTimeMs / 1_000) % 2 ** 32,
        fraction: Math.floor(((gpsTimeMs % 1_000) * 256) / 1_000),
      } as const;
    case "RekeyInd": // LoRaWAN 1.1 §5.10: the lower of both minor versions
      return rules.rekeyInd && joined && command.minor >= 1
        ? ({ name: "RekeyConf", minor: Math.min(minor, command.minor) } as const)
        : undefined;
    case "ResetInd": // LoRaWAN 1.1 §5.1
      return rules.rekeyInd && !joined && command.minor >= 1
        ? ({ name: "ResetConf", minor: Math.min(minor, command.minor) } as const)
        : undefined;
    default:
      return undefined;
  }
}

/** SNR at which a LoRa receiver just demodulates, in dB, by spreading factor (SX1301 data sheet; SF5 and SF6: SX1262). */
const floors: { readonly [sf: number]: number } = {
  5: -2.5,
  6: -5,
  7: -7.5,
  8: -10,
  9: -12.5,
  10: -15,
  11: -17.5,
  12: -20,
};

/** Link margin in dB; 0 where the modulation has none. */
export function linkMargin(snr: number | undefined, sf: number | undefined): number {
  const floor = sf === undefined ? undefined : floors[sf];
  return snr === undefined || floor === undefined ? 0 : snr - floor;
}
