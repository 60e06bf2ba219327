/** The two versions of TS002 that are spoken, and what they call LoRaWAN versions. */
export const protocolVersions = ["1.0", "1.1"] as const;
export type ProtocolVersion = (typeof protocolVersions)[number];

const release = /^(\d{1,3})\.(\d{1,3})(?:\.\d{1,3})?$/;

/** Patch releases are taken as what they are a patch of: "1.1.2" is 1.1. */
export function parseProtocolVersion(value: unknown): ProtocolVersion | undefined {
  const [, major, minor] = (typeof value === "string" && release.exec(value)) || [];
  return protocolVersions.find((version) => version === `${major}.${minor}`);
}

/** What a peer is told in that its version is not spoken: the highest that is not above its own, else the lowest. */
export function versionToAnswerIn(value: unknown): ProtocolVersion {
  const [, major, minor] = (typeof value === "string" && release.exec(value)) || [];
  const isBelow11 = Number(major ?? 0) < 1 || (major === "1" && minor === "0");
  return isBelow11 ? "1.0" : "1.1";
}

/** How a session's keys are made: the two schemes of TS001. MACVersion ("1.0.4", "1.1", …) names one of them. */
export type KeyScheme = "1.0" | "1.1";
export function keySchemeOf(macVersion: string): KeyScheme | undefined {
  const [, scheme] = /^(1\.[01])(?:\.\d+)?$/.exec(macVersion) ?? [];
  return scheme as KeyScheme | undefined;
}
