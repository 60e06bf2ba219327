import { frameKind } from "@trefoil/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeFrames, FrameReader, outgoing } from "./frame.ts";

const frame = fc.record({
  kind: fc.constantFrom(...Object.values(frameKind)),
  id: fc.nat(0xffff_ffff),
  body: fc.json().map((text) => JSON.parse(text) ?? {}),
});

test("frames come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      (frames, cuts) => {
        const octets = encodeFrames(
          frames.map(({ kind, id, body }) => outgoing(kind, id, body)).filter((it) => it !== undefined),
        );
        const reader = new FrameReader();
        const seen: unknown[] = [];
        for (let at = 0; at < octets.length; ) {
          const end = at + (cuts.next().value as number);
          const part = reader.push(octets.subarray(at, end));
          if (part === "link/malformed") throw new Error(part);
          seen.push(...part.map(({ kind, id, json }) => ({ kind, id, body: JSON.parse(json) })));
          at = end;
        }
        expect(seen).toEqual(frames);
      },
    ),
  );
});

test("any octets: frames, or malformed, never an exception", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
      const reader = new FrameReader();
      for (const chunk of chunks) if (reader.push(Buffer.from(chunk)) === "link/malformed") return;
    }),
  );
});
