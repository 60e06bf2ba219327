/** The file as text, piece by piece: a million rows need no more memory than one. */
import { createReadStream, statSync } from "node:fs";
import { UserError } from "../commands/output.ts";

export type Source = {
  readonly totalBytes: number;
  readonly bytesRead: () => number;
  readonly text: AsyncIterable<string>;
};

/** UTF-8, or UTF-16 where a byte order mark says so (some spreadsheets write it). Throws `UserError` for what is not text. */
export function openSource(path: string): Source {
  let totalBytes: number;
  try {
    totalBytes = statSync(path).size;
  } catch {
    throw new UserError("import/not-found", `${path} cannot be read`);
  }
  let read = 0;
  async function* text() {
    let decoder: InstanceType<typeof TextDecoder> | undefined;
    try {
      for await (const octets of createReadStream(path) as AsyncIterable<Buffer>) {
        read += octets.length;
        decoder ??= new TextDecoder(encodingOf(octets), { fatal: true }); // leaves the byte order mark out
        yield decoder.decode(octets, { stream: true });
      }
      yield decoder?.decode() ?? "";
    } catch (error) {
      const isText = !(error instanceof TypeError); // what a fatal TextDecoder throws
      throw isText
        ? new UserError("import/not-found", `${path} cannot be read`)
        : new UserError("import/not-text", `${path} is not text in UTF-8`);
    }
  }
  return { totalBytes, bytesRead: () => read, text: text() };
}

function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}
