/** Text of JSON, made by joining parts. Everything is ASCII: a character is an octet, so lengths are known without encoding. */

const plain = /^[ !#-[\]-~]*$/;

/** A JSON string. What is not ASCII is written as \uXXXX: the same value for every reader. */
export function quote(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** JSON of any value, ASCII only. For what is rare. */
export const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

let secondOfText = Number.NaN;
let textOfSecond = "";

/** google.protobuf.Timestamp reaches from the year 1 to the end of 9999. */
const firstTime = Date.parse("0001-01-01T00:00:00Z");
const endOfTime = Date.UTC(10_000, 0, 1);

/**
 * RFC 3339 in UTC with milliseconds; undefined for a number that is no time. Most times of a batch lie in the same second: its
 * text is made once.
 */
export function rfc3339(ms: number): string | undefined {
  if (!(ms >= firstTime && ms < endOfTime)) return undefined;
  const second = Math.floor(ms / 1000);
  if (second !== secondOfText) {
    textOfSecond = new Date(second * 1000).toISOString().slice(0, 20); // "2026-11-22T16:53:00."
    secondOfText = second;
  }
  const rest = Math.floor(ms - second * 1000);
  return `${textOfSecond}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
}

/** A member with its comma: nothing where the number is no time. `name` needs no escapes. */
export function timeMember(name: string, ms: number): string {
  const text = rfc3339(ms);
  return text === undefined ? "" : `,"${name}":"${text}"`;
}

/** Leap seconds between GPS time and UTC since 2017; none has been announced since. */
const gpsLeapMs = 18_000;
const gpsEpochMs = Date.UTC(1980, 0, 6);
export const gpsToUnixMs = (gpsTimeMs: number): number => gpsTimeMs + gpsEpochMs - gpsLeapMs;

/** The longest google.protobuf.Duration: 10 000 years. */
export const longestMs = 315_576_000_000_000;

/** google.protobuf.Duration in JSON, up to `longestMs`: seconds with 0, 3, 6 or 9 decimals. */
export function duration(ms: number): string {
  const nanos = Math.round(ms * 1e6);
  const seconds = Math.floor(nanos / 1e9);
  const rest = nanos % 1e9;
  if (rest === 0) return `${seconds}s`;
  const decimals = rest.toString().padStart(9, "0");
  const length = decimals.endsWith("000000") ? 3 : decimals.endsWith("000") ? 6 : 9;
  return `${seconds}.${decimals.slice(0, length)}s`;
}

const hexOctet: readonly string[] = Array.from({ length: 256 }, (_, octet) =>
  octet.toString(16).padStart(2, "0").toUpperCase(),
);
const upper32 = (word: number): string =>
  (hexOctet[word >>> 24] as string) +
  (hexOctet[(word >>> 16) & 255] as string) +
  (hexOctet[(word >>> 8) & 255] as string) +
  (hexOctet[word & 255] as string);
/** 16 upper-case hex digits of two 32-bit halves: EUIs in messages. */
export const upperEui = (high: number, low: number): string => upper32(high) + upper32(low);

const scratch = Buffer.alloc(128);

/** A session key id as The Things Stack writes it: octets in base64. Ours are hex; another server's are taken as text. */
export function sessionKeyIdText(id: string): string {
  const octets = id.length <= 2 * scratch.length ? scratch.write(id, 0, "hex") : 0;
  if (octets > 0 && 2 * octets === id.length) return scratch.toString("base64", 0, octets);
  return Buffer.from(id).toString("base64");
}
