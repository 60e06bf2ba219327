/** Frames on the pipe between join server and vault: u32be length ‖ UTF-8 JSON. */
import type { Duplex } from "node:stream";
import { maxFrameOctets } from "@trefoil/wire";

export function encodePipeFrame(value: unknown): Buffer {
  const json = JSON.stringify(value);
  const frame = Buffer.allocUnsafeSlow(4 + Buffer.byteLength(json));
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.write(json, 4, "utf8");
  return frame;
}

/** Calls `onFrame` for each parsed frame. A frame over the limit or JSON that does not parse destroys the stream. */
export function readPipeFrames(stream: Duplex, onFrame: (value: unknown) => void): void {
  let chunks: Buffer[] = [];
  let held = 0;
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
    if (held < wanted(chunks)) return;
    let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    while (rest.length >= 4) {
      const end = 4 + rest.readUInt32BE(0);
      if (end > 4 + maxFrameOctets) return void stream.destroy();
      if (rest.length < end) break;
      const value = parseJson(rest.toString("utf8", 4, end));
      if (value === undefined) return void stream.destroy();
      onFrame(value);
      rest = rest.subarray(end);
    }
    chunks = rest.length === 0 ? [] : [rest];
    held = rest.length;
  });
}

/** How many octets are worth a look: those of the frame that the chunks begin with. Chunks are joined only then. */
function wanted([first]: readonly Buffer[]): number {
  if (first === undefined || first.length < 4) return 4;
  const length = first.readUInt32BE(0);
  return length > maxFrameOctets ? 4 : 4 + length;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
