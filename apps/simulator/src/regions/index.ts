import { eu868 } from "./eu868.ts";
import type { Region } from "./region.ts";
import { us915 } from "./us915.ts";

export type { ChannelFact, Region } from "./region.ts";
export const regions: { readonly [name in Region["name"]]: Region } = { EU868: eu868, US915: us915 };
