/**
 * What a region is: RP002-1.0.4 as data. No functions inside, so a region can be printed, compared and sent to a console.
 *
 * Two rules hold everywhere: data rates are looked up by direction and index (from RP002-1.0.5 the same index means
 * different things up and down), and payload limits are M, the octets of a MACPayload: N = M − 8, PHYPayload = M + 5.
 */
export type Direction = "up" | "down";

export type LoRaDataRate = { readonly modulation: "LoRa"; readonly sf: number; readonly bwHz: number };
export type FskDataRate = { readonly modulation: "FSK"; readonly bitRate: number; readonly deviationHz: number };
export type LrFhssDataRate = {
  readonly modulation: "LR-FHSS";
  /** Operating channel width, nominal. */
  readonly ocwHz: number;
  readonly codingRate: "1/3" | "2/3";
  readonly gridHz: number;
};
export type DataRate = LoRaDataRate | FskDataRate | LrFhssDataRate;

/** `count` channels from index `first` on, `stepHz` apart. Dynamic plans list their default channels one by one. */
export type ChannelBlock = {
  readonly first: number;
  readonly hz: number;
  readonly stepHz: number;
  readonly count: number;
  readonly dr: readonly [min: number, max: number];
  readonly bwHz: number;
};

/** M by data rate index. `null`: no such data rate. 0: it exists but may not be used under this dwell-time rule. */
export type PayloadLimits = readonly (number | null)[];
export type Rx1Rows = readonly (readonly number[] | null)[];

/** Where beacons or ping slots are: one frequency, a hop over channels, or a block of downlink channels that the join channel chose. */
export type SlotChannel =
  | { readonly rule: "fixed"; readonly hz: number }
  | { readonly rule: "hopping"; readonly hz: number; readonly stepHz: number; readonly count: number }
  | {
      readonly rule: "by-join-channel";
      readonly blocks: { readonly [joinIndex: number]: { readonly first: number; readonly count: number } };
    };

export type SubBand = {
  readonly band?: string;
  readonly fromHz: number;
  readonly toHz: number;
  /** Share of time, 0.01 is 1 %. */
  readonly dutyCycle: number;
  readonly maxEirpDbm: number;
};

export type ChannelMaskKind = "mask16" | "mask48" | "mask64" | "mask72" | "mask96";

/**
 * A value that too few independent sources confirm.
 * single-source: fewer than two lineages state it. disputed: sources differ, one was believed for a reason.
 * unresolved: sources differ and nothing decides between them.
 */
export type Unverified = {
  readonly field: string;
  readonly status: "single-source" | "disputed" | "unresolved";
  readonly why: string;
};

export type RegionParameters = {
  readonly name: string;
  /** RP002's common name; the plans of CN470 share one. */
  readonly commonName: string;
  readonly revision: string;
  readonly source: string;
  readonly plan: "dynamic" | "fixed";
  readonly maxChannels: number;
  readonly frequencyRangeHz: readonly [from: number, to: number];
  readonly uplinkChannels: readonly ChannelBlock[];
  /** Absent where a downlink in RX1 uses the uplink's frequency. */
  readonly downlinkChannels?: readonly ChannelBlock[];
  readonly join: readonly {
    readonly channels: readonly [first: number, last: number];
    readonly dr: readonly [min: number, max: number];
  }[];
  /** CN470 of RP002: the frequency of the join-request decides about RX1 and RX2. */
  readonly joinChannels?: readonly {
    readonly index: number;
    readonly hz: number;
    readonly rx1Hz: number;
    readonly rx2Hz: number;
  }[];
  readonly dataRates: { readonly up: readonly (DataRate | null)[]; readonly down: readonly (DataRate | null)[] };
  readonly maxMacPayload: {
    readonly noRepeater: { readonly dwellOff: PayloadLimits; readonly dwellOn?: PayloadLimits };
    readonly repeater: { readonly dwellOff: PayloadLimits; readonly dwellOn?: PayloadLimits };
  };
  /** Rows: uplink data rate. Columns: RX1DROffset. `dwellOn` where a downlink dwell time changes the rows. */
  readonly rx1DataRates: { readonly dwellOff: Rx1Rows; readonly dwellOn?: Rx1Rows };
  /** "index": downlink channel = uplink channel index modulo the number of downlink channels. */
  readonly rx1Channel: "uplink-frequency" | "index";
  /** `byJoinChannel` (index → Hz) wins over `hz` after a join over the air. */
  readonly rx2: {
    readonly hz: number;
    readonly dr: number;
    readonly byJoinChannel?: { readonly [index: number]: number };
  };
  readonly cfListType: 0 | 1;
  readonly channelMask: ChannelMaskKind;
  /** TXPower index i means `maxEirpDbm` + `steps[i]`. */
  readonly txPower: {
    readonly maxEirpDbm: number;
    readonly steps: readonly number[];
    readonly below?: { readonly hz: number; readonly maxEirpDbm: number };
  };
  readonly txParamSetup: boolean;
  readonly dwellTime: {
    readonly uplinkMs: number | null;
    readonly downlinkMs: number | null;
    /** What a server takes for granted before a TxParamSetupAns. */
    readonly boot?: { readonly uplink: boolean; readonly downlink: boolean };
  };
  readonly subBands: readonly SubBand[];
  readonly listenBeforeTalk?: {
    readonly thresholdDbm: number;
    readonly durationMs: number;
    readonly bwHz: number;
    readonly mandatory: boolean;
    readonly countries?: readonly string[];
  };
  readonly beacon: { readonly dr: number; readonly channel: SlotChannel };
  readonly pingSlot: { readonly dr: number; readonly channel: SlotChannel };
  /** Data rate that an end-device falls back to (TS001 §4.3.1.1); `null`: none lower. */
  readonly adrBackoff: readonly (number | null | undefined)[];
  readonly relayWor?: readonly { readonly hz: number; readonly ackHz: number; readonly dr: number }[];
  readonly unverified: readonly Unverified[];
};
