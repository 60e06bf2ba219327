/** The session table with what belongs to it: expanded keys, regions, channel sets. */
import { KeySchedule, KeyScheduleCache, type RegionParameters, rules, type VersionRules } from "@trefoil/lorawan";
import { type AddedChannels, ChannelSets, regionAt } from "./regions.ts";
import { Rejoins } from "./rejoins.ts";
import { SessionTable } from "./session-table.ts";

/** In the order of the column `keys`. In 1.0.x all three are the NwkSKey. */
const keyIndex = { FNwkSIntKey: 0, SNwkSIntKey: 1, NwkSEncKey: 2 } as const;
export type NetworkKeyName = keyof typeof keyIndex;

/** About 0.7 kB each (packages/lorawan). */
const expandedKeys = 65_536;
/** With so many sessions for each place hits are rare: then remembering costs more than expanding, which takes a microsecond. */
const sessionsPerPlace = 4;

export class Sessions {
  readonly table: SessionTable;
  readonly channelSets = new ChannelSets();
  readonly rejoins = new Rejoins();
  readonly #schedules = new KeyScheduleCache<number>(expandedKeys);

  constructor(capacity?: number) {
    this.table = new SessionTable(capacity);
  }

  /** A key of the session, ready for use. Not to be kept. */
  schedule(slot: number, name: NetworkKeyName): KeySchedule {
    const index = this.rules(slot).separateNetworkKeys ? keyIndex[name] : 0;
    const id = slot * 4 + index;
    const known = this.#schedules.peek(id);
    if (known) return known;
    if (this.table.size > sessionsPerPlace * expandedKeys) return new KeySchedule(this.table.key(slot, index));
    return this.#schedules.get(id, () => this.table.key(slot, index));
  }

  rules(slot: number): VersionRules {
    return rules(this.table.macVersion(slot));
  }
  region(slot: number): RegionParameters {
    return regionAt(this.table.columns.region[slot] as number);
  }
  channels(slot: number): AddedChannels {
    return this.channelSets.at(this.table.columns.channelSet[slot] as number);
  }

  /** Forgets a session, with its keys in both forms. */
  remove(slot: number): void {
    for (const index of Object.values(keyIndex)) this.#schedules.delete(slot * 4 + index);
    this.rejoins.forget(this.table.columns.sessionId[slot] as number);
    this.table.remove(slot);
  }
}
