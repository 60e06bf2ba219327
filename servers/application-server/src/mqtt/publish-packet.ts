/** PUBLISH packets (MQTT 3.1.1 §3.3), many in one piece of memory: one write for a whole batch. Topic and payload are ASCII. */
import type { Rendered } from "../log/event-log.ts";

/** `packetId` 0: QoS 0. */
export type Publish = { readonly message: Rendered; readonly packetId: number; readonly dup: boolean };

const remainingLength = ({ message, packetId }: Publish): number =>
  2 + message.topic.length + (packetId === 0 ? 0 : 2) + message.payload.length;
const octetsOfLength = (length: number): number =>
  length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;

export function encodePublishes(publishes: readonly Publish[]): Buffer {
  let total = 0;
  for (const publish of publishes) {
    const length = remainingLength(publish);
    total += 1 + octetsOfLength(length) + length;
  }
  const piece = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const publish of publishes) at = write(piece, at, publish);
  return piece;
}

function write(piece: Buffer, start: number, publish: Publish): number {
  const { message, packetId, dup } = publish;
  let at = start;
  piece[at++] = 0x30 | (packetId === 0 ? 0 : 0x02) | (dup ? 0x08 : 0);
  let length = remainingLength(publish);
  while (length >= 128) {
    piece[at++] = (length & 127) | 128;
    length >>>= 7;
  }
  piece[at++] = length;
  piece[at++] = message.topic.length >> 8;
  piece[at++] = message.topic.length;
  at += piece.write(message.topic, at, "latin1");
  if (packetId !== 0) {
    piece[at++] = packetId >> 8;
    piece[at++] = packetId;
  }
  return at + piece.write(message.payload, at, "latin1");
}
