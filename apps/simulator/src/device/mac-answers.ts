/** What a device does with MAC commands: new settings, answers, and facts worth telling. Pure. TS001-1.0.4 §5, TS001-1.1 §5 */
import { type DeviceCommand, deviceCommand, type NetworkCommand } from "../mac-commands.ts";
import { readUint } from "../octets.ts";
import type { Region } from "../regions/index.ts";
import { usable, withChannel, withMask } from "./channels.ts";
import type { Settings } from "./settings.ts";
import type { VersionRules } from "./versions.ts";

export type MacContext = {
  readonly region: Region;
  readonly rules: VersionRules;
  /** 0 external power, 1 to 254, 255 unknown. */
  readonly battery: number;
  /** Of the last downlink, in dB. */
  readonly snr: number;
};
export type MacFact =
  | { readonly is: "link-check"; readonly marginDb: number; readonly gateways: number }
  | { readonly is: "device-time"; readonly gpsSeconds: number }
  | { readonly is: "rekey-confirmed" }
  | { readonly is: "reset-confirmed" }
  | { readonly is: "force-rejoin"; readonly rejoinType: number };
export type MacOutcome = {
  readonly settings: Settings;
  readonly answers: readonly DeviceCommand[];
  readonly facts: readonly MacFact[];
};

type Step = { settings: Settings; answers?: readonly DeviceCommand[]; fact?: MacFact };
const hzAt = (body: Uint8Array, at: number) => readUint(body, at, 3) * 100;
const inRange = ({ rangeHz: [low, high] }: Region, hz: number) => hz >= low && hz <= high;
const bits = (...flags: readonly boolean[]) => flags.reduce((sum, flag, at) => sum | (flag ? 1 << at : 0), 0);

export function answerCommands(before: Settings, commands: readonly NetworkCommand[], context: MacContext): MacOutcome {
  let settings = before;
  const answers: DeviceCommand[] = [];
  const facts: MacFact[] = [];
  for (let i = 0; i < commands.length; ) {
    // Neighbouring LinkADRReqs are one block: all or nothing, one answer each.
    const block = commands.slice(i).findIndex(({ name }) => name !== "LinkADRReq");
    const size = block === -1 ? commands.length - i : block;
    const command = commands[i] as NetworkCommand;
    const step = size > 0 ? linkAdr(settings, commands.slice(i, i + size), context) : one(settings, command, context);
    settings = step.settings;
    answers.push(...(step.answers ?? []));
    if (step.fact !== undefined) facts.push(step.fact);
    i += Math.max(1, size);
  }
  return { settings, answers, facts };
}

function linkAdr(settings: Settings, block: readonly NetworkCommand[], { region, rules }: MacContext): Step {
  let channels: Settings["channels"] | undefined = settings.channels;
  for (const { body } of block) {
    channels = channels && withMask(region, channels, ((body[3] ?? 0) >> 4) & 7, readUint(body, 1, 2));
  }
  const last = (block.at(-1) as NetworkCommand).body;
  const keeps = (value: number) => rules.linkAdr15Keeps && value === 15;
  const [drField, powerField] = [(last[0] ?? 0) >> 4, (last[0] ?? 0) & 15];
  const dr = keeps(drField) ? settings.dr : drField;
  const txPowerIndex = keeps(powerField) ? settings.txPowerIndex : powerField;
  const maskOk = channels?.some((channel) => channel?.enabled) ?? false;
  const drOk =
    region.rates[dr] !== undefined && usable(maskOk && channels ? channels : settings.channels, dr).length > 0;
  const powerOk = txPowerIndex <= region.maxTxPowerIndex;
  const answers = block.map(() => deviceCommand("LinkADRAns", bits(maskOk, drOk, powerOk)));
  if (!channels || !maskOk || !drOk || !powerOk) return { settings, answers };
  const nbTrans = (last[3] ?? 0) & 15 || settings.nbTrans;
  return { settings: { ...settings, channels, dr, txPowerIndex, nbTrans }, answers };
}

function one(settings: Settings, { name, body }: NetworkCommand, context: MacContext): Step {
  const { region } = context;
  const first = body[0] ?? 0;
  switch (name) {
    case "LinkCheckAns":
      return { settings, fact: { is: "link-check", marginDb: first, gateways: body[1] ?? 0 } };
    case "DeviceTimeAns":
      return { settings, fact: { is: "device-time", gpsSeconds: readUint(body, 0, 4) + (body[4] ?? 0) / 256 } };
    case "RekeyConf":
      return { settings, fact: { is: "rekey-confirmed" } };
    case "ResetConf":
      return { settings, fact: { is: "reset-confirmed" } };
    case "ForceRejoinReq":
      return { settings, fact: { is: "force-rejoin", rejoinType: (first >> 4) & 7 } };
    case "DutyCycleReq":
      return { settings: { ...settings, maxDutyCycle: first & 15 }, answers: [deviceCommand("DutyCycleAns")] };
    case "DevStatusReq": {
      const margin = Math.max(-32, Math.min(31, Math.round(context.snr)));
      return { settings, answers: [deviceCommand("DevStatusAns", context.battery, margin & 0x3f)] };
    }
    case "RXTimingSetupReq":
      return { settings: { ...settings, rxDelayS: first & 15 || 1 }, answers: [deviceCommand("RXTimingSetupAns")] };
    case "ADRParamSetupReq":
      return {
        settings: { ...settings, adrAckLimit: 2 ** (first >> 4), adrAckDelay: 2 ** (first & 15) },
        answers: [deviceCommand("ADRParamSetupAns")],
      };
    // Rejoins by count are taken note of, rejoins by time are not supported.
    case "RejoinParamSetupReq":
      return { settings, answers: [deviceCommand("RejoinParamSetupAns", 0)] };
    case "RXParamSetupReq": {
      const [rx1DrOffset, dr, hz] = [(first >> 4) & 7, first & 15, hzAt(body, 1)];
      const offsetOk = rx1DrOffset < (region.rx1Dr[0]?.length ?? 0);
      const status = bits(inRange(region, hz), region.rates[dr] !== undefined, offsetOk);
      const next = status === 7 ? { ...settings, rx1DrOffset, rx2: { hz, dr } } : settings;
      return { settings: next, answers: [deviceCommand("RXParamSetupAns", status)] };
    }
    case "NewChannelReq":
      return newChannel(settings, body, region);
    case "DlChannelReq":
      return dlChannel(settings, body, region);
    // TxParamSetupReq is neither applied nor answered in regions without it (RP002-1.0.4 §2.4.3, §2.5.3): both of ours.
    default:
      return { settings };
  }
}

function newChannel(settings: Settings, body: Uint8Array, region: Region): Step {
  const [index, hz, minDr, maxDr] = [body[0] ?? 0, hzAt(body, 1), (body[4] ?? 0) & 15, (body[4] ?? 0) >> 4];
  if (region.plan === "fixed") return { settings };
  const mayChange = index >= region.channels.length && index < 16;
  const hzOk = mayChange && (hz === 0 || inRange(region, hz));
  const drOk = mayChange && minDr <= maxDr && region.rates[minDr] !== undefined && region.rates[maxDr] !== undefined;
  const answers = [deviceCommand("NewChannelAns", bits(hzOk, drOk))];
  if (!hzOk || !drOk) return { settings, answers };
  const channels = withChannel(settings.channels, index, hz === 0 ? undefined : { hz, minDr, maxDr, enabled: true });
  return { settings: { ...settings, channels }, answers };
}

function dlChannel(settings: Settings, body: Uint8Array, region: Region): Step {
  const [index, hz] = [body[0] ?? 0, hzAt(body, 1)];
  if (region.plan === "fixed") return { settings };
  const channel = settings.channels[index];
  const hzOk = inRange(region, hz);
  const answers = [deviceCommand("DlChannelAns", bits(hzOk, channel !== undefined))];
  if (!hzOk || channel === undefined) return { settings, answers };
  return {
    settings: { ...settings, channels: withChannel(settings.channels, index, { ...channel, downlinkHz: hz }) },
    answers,
  };
}
