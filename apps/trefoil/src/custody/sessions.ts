/**
 * Which sessions are made, as the vault is asked to make them: known before any key of theirs exists anywhere, and also where the join-accept
 * never reaches the device. Read from the join server's side of its pipes (platform/custody/src/vault-port.ts).
 */
import type { VaultJoin, VaultRejoin } from "@trefoil/custody";
import type { Records } from "./records.ts";

export type Session = {
  readonly devEui: string;
  /** DevNonce, or the RJcount of a rejoin-request, which takes its place (LoRaWAN 1.1 §6.2.4). */
  readonly nonce: number;
  readonly joinNonce: number;
  readonly protocol: "1.0" | "1.1";
  readonly by: "join" | "rejoin";
};

export function sessionsIn(records: Records): readonly Session[] {
  const pipes = records.traffic.filter(
    ({ holder, stream }) => holder === "join-server" && stream.is === "socket" && stream.remote === undefined,
  );
  return pipes.flatMap(({ out }) => frames(Buffer.concat(out))).flatMap(sessionOf);
}

/** u32be length ‖ JSON. What does not begin like that is not a pipe to the vault. */
function frames(octets: Buffer): unknown[] {
  const found: unknown[] = [];
  for (let at = 0; at + 4 <= octets.length; ) {
    const end = at + 4 + octets.readUInt32BE(at);
    if (end > octets.length || octets[at + 4] !== 0x7b) break;
    found.push(JSON.parse(octets.toString("utf8", at + 4, end)));
    at = end;
  }
  return found;
}

const optNeg = 0x80;

function sessionOf(frame: unknown): Session[] {
  const { method, body } = frame as { readonly method?: string; readonly body?: VaultJoin | VaultRejoin };
  if ((method !== "join" && method !== "rejoin") || body === undefined) return [];
  const { devEui, joinNonce, dlSettings } = body;
  const request = Buffer.from("joinRequest" in body ? body.joinRequest : body.rejoinRequest, "hex");
  // The nonce stands before the MIC of four octets, in all of them: TS001 §6.2.5, LoRaWAN 1.1 §6.2.4.
  const nonce = request.readUInt16LE(request.length - 6);
  return [{ devEui, nonce, joinNonce, protocol: (dlSettings & optNeg) !== 0 ? "1.1" : "1.0", by: method }];
}
