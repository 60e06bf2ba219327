/** The two versions of TS002 that are spoken, and what they call LoRaWAN versions. */
export const protocolVersions = ["1.0", "1.1"] as const;
export type ProtocolVersion = (typeof protocolVersions)[number];

/** Patch releases are taken as what they are a patch of: "1.1.0" is 1.1. */
export function parseProtocolVersion(value: unknown): ProtocolVersion | undefined {
  if (typeof value !== "string") return undefined;
  return protocolVersions.find((version) => value === version || value === `${version}.0`);
}

/** How a session's keys are made: the two schemes of TS001. MACVersion ("1.0.4", "1.1", …) names one of them. */
export type KeyScheme = "1.0" | "1.1";
export function keySchemeOf(macVersion: string): KeyScheme | undefined {
  const [, scheme] = /^(1\.[01])(?:\.\d+)?$/.exec(macVersion) ?? [];
  return scheme as KeyScheme | undefined;
}
