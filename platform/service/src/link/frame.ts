/** The frames of platform/wire/src/link.ts: u32be length of what follows ‖ u8 kind ‖ u32be id ‖ UTF-8 JSON. */
import { frameKind, maxFrameOctets } from "@trefoil/wire";

export type Kind = (typeof frameKind)[keyof typeof frameKind];
export type Outgoing = { readonly kind: Kind; readonly id: number; readonly json: string; readonly octets: number };
export type Incoming = { readonly kind: Kind; readonly id: number; readonly json: string };

const lengthOctets = 4;
/** kind and id */
const headOctets = 5;

/** A frame to send, or undefined where it is over the limit. */
export function outgoing(kind: Kind, id: number, body: unknown): Outgoing | undefined {
  const json = JSON.stringify(body ?? {});
  const octets = Buffer.byteLength(json);
  return octets + headOctets > maxFrameOctets ? undefined : { kind, id, json, octets };
}

/** Many frames as one piece: one write, few TLS records. */
export function encodeFrames(frames: readonly Outgoing[]): Buffer {
  let total = 0;
  for (const { octets } of frames) total += lengthOctets + headOctets + octets;
  const piece = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const { kind, id, json, octets } of frames) {
    piece.writeUInt32BE(headOctets + octets, at);
    piece.writeUInt8(kind, at + 4);
    piece.writeUInt32BE(id, at + 5);
    piece.write(json, at + lengthOctets + headOctets, "utf8");
    at += lengthOctets + headOctets + octets;
  }
  return piece;
}

const kinds: ReadonlySet<number> = new Set(Object.values(frameKind));

/** Cuts a stream into frames. Holds at most one incomplete frame, and joins its chunks once. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #held = 0;
  #needed = lengthOctets;

  /** The frames that are complete now, or why the link must be closed. */
  push(chunk: Buffer): Incoming[] | "link/malformed" {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return [];
    const octets = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    const frames: Incoming[] = [];
    let at = 0;
    for (;;) {
      const left = octets.length - at;
      this.#needed = lengthOctets;
      if (left < lengthOctets) break;
      const length = octets.readUInt32BE(at);
      if (length < headOctets || length > maxFrameOctets) return "link/malformed";
      this.#needed = lengthOctets + length;
      if (left < this.#needed) break;
      const kind = octets.readUInt8(at + 4);
      if (!kinds.has(kind)) return "link/malformed";
      frames.push({
        kind: kind as Kind,
        id: octets.readUInt32BE(at + 5),
        json: octets.toString("utf8", at + lengthOctets + headOctets, at + lengthOctets + length),
      });
      at += lengthOctets + length;
    }
    this.#chunks = at < octets.length ? [octets.subarray(at)] : [];
    this.#held = octets.length - at;
    return frames;
  }
}
