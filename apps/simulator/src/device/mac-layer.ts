/** What the MAC layer of a device remembers between frames: settings, answers and requests that wait, and the ADR back-off. */
import {
  type DeviceCommand,
  type DeviceCommandName,
  decodeNetworkCommands,
  deviceCommand,
  encodeDeviceCommands,
  isSticky,
  type NetworkCommandName,
} from "../mac-commands.ts";
import type { Region } from "../regions/index.ts";
import { type Channels, initialChannels, usable } from "./channels.ts";
import { answerCommands, type MacFact } from "./mac-answers.ts";
import type { Settings } from "./settings.ts";
import { type MacVersion, rules } from "./versions.ts";

/** What stands in every uplink until it is confirmed. TS001-1.1 §5.1, §5.9 */
type Indication = "RekeyInd" | "ResetInd";
const minorVersion = 1;
const fOptsOctets = 15;
/** FHDR without FOpts, and FPort. */
const overheadOctets = 8;

export class MacLayer {
  settings: Settings;
  readonly #region: Region;
  readonly #version: MacVersion;
  readonly #battery: number;
  #indication: Indication | undefined;
  #answers: readonly DeviceCommand[] = [];
  #requests: readonly DeviceCommand[] = [];
  #adrAckCount = 0;

  constructor(region: Region, version: MacVersion, battery: number, settings: Settings) {
    this.#region = region;
    this.#version = version;
    this.#battery = battery;
    this.settings = settings;
  }

  /** A new session begins. */
  begin(settings: Settings, indication?: Indication): void {
    this.settings = settings;
    this.#indication = indication;
    this.#answers = [];
    this.#adrAckCount = 0;
  }

  /** Asks with the next uplink. */
  request(name: DeviceCommandName): void {
    this.#requests = [...this.#requests, deviceCommand(name)];
  }

  /** Throws `RangeError` when so long a payload has no room at this data rate. */
  checkRoom(payloadLength: number): void {
    if (this.#room(payloadLength) < 0)
      throw new RangeError(`${payloadLength} octets do not fit into DR${this.settings.dr}`);
  }

  /** MAC commands for the next frame, as far as they fit beside the payload. Those that are not sticky go once. TS001-1.0.4 §5 */
  takeFOpts(payloadLength: number): Uint8Array {
    const standing = this.#indication === undefined ? [] : [deviceCommand(this.#indication, minorVersion)];
    const room = Math.min(fOptsOctets, this.#room(payloadLength));
    const fOpts = encodeDeviceCommands([...standing, ...this.#answers, ...this.#requests], room);
    this.#answers = this.#answers.filter(isSticky);
    this.#requests = [];
    return fOpts;
  }

  /** Counts an uplink with a new FCntUp; without any downlink for long, a device gets louder and slower step by step. TS001-1.0.4 §4.3.1.1 */
  countUplink(): { adrAckReq: boolean } {
    const { adrAckLimit, adrAckDelay } = this.settings;
    this.#adrAckCount++;
    const over = this.#adrAckCount - adrAckLimit;
    if (over > 0 && over % adrAckDelay === 0) this.#backOff();
    return { adrAckReq: over >= 0 };
  }

  /** Takes the commands of an accepted downlink; `snr` is that downlink's. */
  accept(octets: Uint8Array, snr: number): { names: readonly NetworkCommandName[]; facts: readonly MacFact[] } {
    this.#adrAckCount = 0;
    const { commands } = decodeNetworkCommands(octets);
    const context = { region: this.#region, rules: rules[this.#version], battery: this.#battery, snr };
    const { settings, answers, facts } = answerCommands(this.settings, commands, context);
    this.settings = settings;
    // A downlink ends the repetition of sticky answers; new ones begin.
    this.#answers = answers;
    const isConfirmed = ({ is }: MacFact) =>
      this.#indication === (is === "rekey-confirmed" ? "RekeyInd" : is === "reset-confirmed" ? "ResetInd" : "");
    if (facts.some(isConfirmed)) this.#indication = undefined;
    return { names: commands.map(({ name }) => name), facts };
  }

  /** Channels for the next transmission. A network that took them all away gets the default channels back. */
  usableChannels(): readonly number[] {
    const { channels, dr } = this.settings;
    const found = usable(channels, dr);
    if (found.length > 0) return found;
    const restored = channels.some((channel) => channel?.enabled) ? channels : this.#withDefaults();
    this.settings = { ...this.settings, channels: restored, dr: nearestDr(restored, dr) };
    return usable(restored, this.settings.dr);
  }

  /** One data rate slower, where a channel allows it. */
  slowDown(): boolean {
    const dr = this.settings.dr - 1;
    if (dr < 0 || usable(this.settings.channels, dr).length === 0) return false;
    this.settings = { ...this.settings, dr };
    return true;
  }

  #room(payloadLength: number): number {
    return (this.#region.maxMacPayload[this.settings.dr] ?? 0) - overheadOctets - payloadLength;
  }

  #backOff(): void {
    if (this.settings.txPowerIndex > 0) this.settings = { ...this.settings, txPowerIndex: 0 };
    else if (!this.slowDown()) this.settings = { ...this.settings, nbTrans: 1, channels: this.#withDefaults() };
  }

  #withDefaults(): Channels {
    const defaults = initialChannels(this.#region);
    return [...defaults, ...this.settings.channels.slice(defaults.length)];
  }
}

/** The data rate closest to `wanted`, slower ones first, that some enabled channel carries. */
function nearestDr(channels: Channels, wanted: number): number {
  const rates = channels.flatMap((channel) => (channel?.enabled ? [channel.minDr, channel.maxDr] : []));
  const below = rates.filter((dr) => dr <= wanted);
  return below.length > 0 ? Math.max(...below) : Math.min(...rates);
}
