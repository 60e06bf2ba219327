/**
 * Which networks may ask: the realm's own network server (peers.json), and those of `networks.json` in this server's folder, written
 * by the realm owner: `{ "<NetID>": "<SHA-256 of SubjectPublicKeyInfo, hex>" }`. A certificate speaks for one NetID.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isNetId } from "@trefoil/custody";
import { Fault, type Peer } from "@trefoil/service";

export function readNetworks(dataDir: string): readonly Peer[] {
  let text: string;
  try {
    text = readFileSync(join(dataDir, "networks.json"), "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new Fault("start/networks", "networks.json cannot be read", { retry: "never", cause });
  }
  const networks = parse(text);
  if (networks === undefined)
    throw new Fault("start/networks", "networks.json: expected NetIDs (6 hex digits, lower case) with a SHA-256 each", {
      retry: "never",
    });
  return networks;
}

/** Own peers speak for the realm's NetID where peers.json does not say for which. */
export const speakingFor = (peers: readonly Peer[], netId: string): readonly Peer[] =>
  peers.map((peer) =>
    peer.role === "network-server" ? { ...peer, netId: (peer.netId ?? netId).toLowerCase() } : peer,
  );

function parse(text: string): readonly Peer[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const rows = Object.entries(value);
  const isRow = ([netId, spki]: [string, unknown]) =>
    isNetId(netId) && typeof spki === "string" && /^[0-9a-f]{64}$/.test(spki);
  return rows.every(isRow)
    ? rows.map(([netId, fingerprint]) => ({ role: "network-server", fingerprint, netId }))
    : undefined;
}
