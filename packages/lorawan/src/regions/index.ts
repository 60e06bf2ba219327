/** Regional parameters: RP002-1.0.4 as data, and the few pure functions that read it. */
export * from "./airtime.ts";
export * from "./cf-list.ts";
export * from "./channel-mask.ts";
export * from "./channels.ts";
export * from "./class-b.ts";
export * from "./data-rates.ts";
export * from "./payload.ts";
export * from "./regions.ts";
export * from "./sub-bands.ts";
export * from "./tx-power.ts";
export type * from "./types.ts";
export * from "./windows.ts";
