/**
 * Receptions as a link brings them: parsed once, here. The gateway-server is a trusted peer, what it reports is not:
 * a value of the wrong kind makes one reception malformed and no neighbour.
 */
import type { LinkTrust, Reception } from "@trefoil/wire";
import { gpsMsOfUnixMs } from "../mac/gps-time.ts";

const trusts: readonly LinkTrust[] = ["none", "server-tls", "token", "mutual-tls"];
const eui = /^[0-9a-f]{16}$/;
const codingRate = /^\d\/\d$/;
const decimal = /^\d{1,20}$/;
/** 255 octets in base64: the longest PHYPayload that a radio can carry. */
const longestPhyPayload = 340;

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
/** A whole number: what the application-server will read as one must be one here, or it would refuse the whole batch. */
const isCount = (value: unknown, most = 0xffff_ffff): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
/** RSSI in dBm, SNR in dB: no receiver tells others. */
const isLevel = (value: unknown): value is number => isNumber(value) && Math.abs(value) <= 300;
const gpsToleranceMs = 3_600_000;
const lastTime = 8.64e15;

/** The receptions of an `uplinks` request: `undefined` where it is none, a hole for each malformed one. */
export function parseUplinks(body: unknown): readonly (Reception | undefined)[] | undefined {
  const receptions = (body as { receptions?: unknown } | null)?.receptions;
  if (!Array.isArray(receptions)) return undefined;
  return receptions.map(parseReception);
}

/** Checks every field that is used later. What is not known is ignored. */
export function parseReception(value: unknown): Reception | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const r = value as { [name in keyof Reception]?: unknown };
  const isWellFormed =
    typeof r.gateway === "string" &&
    eui.test(r.gateway) &&
    typeof r.phyPayload === "string" &&
    r.phyPayload.length > 0 &&
    r.phyPayload.length <= longestPhyPayload &&
    isCount(r.hz) &&
    (typeof r.dataRate === "string" ? r.dataRate.length <= 16 : isCount(r.dataRate)) &&
    (r.codingRate === undefined || (typeof r.codingRate === "string" && codingRate.test(r.codingRate))) &&
    typeof r.concentratorTime === "string" &&
    decimal.test(r.concentratorTime) &&
    isLevel(r.rssi) &&
    (r.snr === undefined || isLevel(r.snr)) &&
    (r.channel === undefined || isCount(r.channel)) &&
    (r.antenna === undefined || isCount(r.antenna)) &&
    (r.gpsTimeMs === undefined || isNumber(r.gpsTimeMs)) &&
    isCount(r.receivedAt, lastTime) &&
    trusts.includes(r.trust as LinkTrust);
  if (!isWellFormed) return undefined;
  return believable(value as Reception);
}

/** A gateway without a fix tells any time: one that is far from the server's own is left out. */
function believable(reception: Reception): Reception {
  const { gpsTimeMs, ...rest } = reception;
  if (gpsTimeMs === undefined || Math.abs(gpsTimeMs - gpsMsOfUnixMs(reception.receivedAt)) <= gpsToleranceMs)
    return reception;
  return rest;
}
