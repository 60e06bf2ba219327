import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type AuditEvent,
  type AuditHead,
  auditLine,
  hashOfLine,
  hashOfNothing,
  headText,
  linesOf,
  longestUnsigned,
  parseAuditEntry,
  parseSegmentName,
  segmentName,
  verifyAuditLog,
} from "./audit-log.ts";

const { privateKey, publicKey: auditKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const fingerprint = "0f".repeat(32);

/** A chain as the vault writes it. */
class Chain {
  readonly segments: string[][] = [[]];
  last = 0;
  previous = hashOfNothing;
  readonly instance: number;
  constructor(instance = 0) {
    this.instance = instance;
  }
  push(event: AuditEvent | AuditHead, at = 1_700_000_000_000 + this.last): this {
    const line = auditLine(this.last + 1, at, this.previous, event);
    this.last += 1;
    this.previous = hashOfLine(line);
    this.segments.at(-1)?.push(line);
    return this;
  }
  use(nonce = this.last): this {
    return this.push({
      ...{ event: "join", result: "joined", devEui: "0011223344556677", joinEui: "70b3d57ed0000001" },
      ...{ request: "join", nonce, joinNonce: this.last, network: "000013", asId: "as" },
    } as AuditEvent);
  }
  head(key = privateKey): this {
    const at = 1_700_000_000_000 + this.last;
    const text = headText(fingerprint, this.instance, { entry: this.last + 1, at, previous: this.previous });
    const signature = sign("sha256", text, { key, dsaEncoding: "ieee-p1363" }).toString("base64");
    return this.push({ event: "head", signature }, at);
  }
  segment(): this {
    this.segments.push([]);
    return this;
  }
  octets(): Uint8Array[] {
    return this.segments.map((lines) => Buffer.from(lines.map((line) => `${line}\n`).join("")));
  }
}
const start = { event: "start", instance: 0, engine: "software" } as const;
const verify = (segments: Iterable<Uint8Array>, more = {}) =>
  verifyAuditLog({ auditKey, fingerprint, instance: 0, segments, ...more });
const codes = (segments: Iterable<Uint8Array>, more = {}) => verify(segments, more).findings.map(({ code }) => code);

/** 3 segments, 4 heads, and the last line is one of them. */
const good = () =>
  new Chain()
    .push(start)
    .use()
    .use()
    .head()
    .use()
    .segment()
    .use()
    .head()
    .segment()
    .push(start)
    .use()
    .head()
    .use()
    .head();

it("a chain as the vault writes it is sound, and its entries can be read", () => {
  const entries: number[] = [];
  const report = verify(good().octets(), { onEntry: ({ entry }: { entry: number }) => entries.push(entry) });
  expect(report).toMatchObject({
    ...{ result: "sound", entries: 12, first: 1, last: 12, signedTo: 12, cuts: [], unvouched: [], findings: [] },
  });
  expect(entries).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
});

it("what no head covers yet is an unsigned tail, and nothing worse", () => {
  expect(verify(good().use().use().octets())).toMatchObject({ result: "unsigned-tail", signedTo: 12, last: 14 });
});

it("a log that ends before an entry that is known was cut off, even where its last line is a head", () => {
  const cut = good().octets().slice(0, 2);
  expect(verify(cut)).toMatchObject({ result: "sound", last: 7 });
  expect(codes(cut, { atLeast: 12 })).toEqual(["audit/cut-off"]);
  expect(codes([], { atLeast: 1 })).toEqual(["audit/cut-off"]);
});

const edited = (edit: (lines: string[][]) => void) => {
  const chain = good();
  edit(chain.segments);
  return chain.octets();
};
it.each<[string, Uint8Array[], string]>([
  [
    "a changed entry",
    edited(([a]) => a?.splice(1, 1, (a[1] ?? "").replace('"nonce":1', '"nonce":9'))),
    "audit/changed",
  ],
  ["a missing entry", edited(([a]) => a?.splice(1, 1)), "audit/missing"],
  ["a missing segment", good().octets().toSpliced(1, 1), "audit/missing"],
  ["the first segment missing", good().octets().slice(1), "audit/missing"],
  ["two entries exchanged", edited(([a]) => a?.splice(1, 2, a[2] ?? "", a[1] ?? "")), "audit/reordered"],
  ["an entry twice", edited(([a]) => a?.splice(1, 0, a[1] ?? "")), "audit/reordered"],
  ["segments exchanged", good().octets().toReversed(), "audit/reordered"],
  ["an entry that is no JSON", edited(([a]) => a?.splice(1, 1, "{")), "audit/malformed"],
  [
    "a head of another key",
    new Chain()
      .push(start)
      .head(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey)
      .octets(),
    "audit/signature",
  ],
  ["a head of another process", new Chain(1).push(start).head().octets(), "audit/signature"],
  [
    "a head with a field more",
    new Chain()
      .push(start)
      .push({ ...JSON.parse(good().segments[0]?.[3] ?? ""), more: 1 })
      .octets(),
    "audit/signature",
  ],
])("%s is found", (_, segments, code) => {
  const report = verify(segments);
  expect([report.result, report.findings.map((finding) => finding.code)]).toEqual([
    "broken",
    expect.arrayContaining([code]),
  ]);
});

it("whoever writes the chain anew after a change cannot sign it", () => {
  const chain = new Chain();
  for (const line of good().segments.flat()) {
    const { entry: _, at, previous: __, ...event } = JSON.parse(line);
    chain.push(event.event === "join" ? { ...event, devEui: "ffffffffffffffff" } : event, at);
  }
  expect(new Set(codes(chain.octets()))).toEqual(new Set(["audit/signature"]));
});

it("whoever leaves out the heads after a change is found by the want of them", () => {
  const chain = new Chain().push(start).head();
  for (let i = 0; i < longestUnsigned + 10; i += 1) chain.use();
  expect(codes(chain.octets())).toEqual(["audit/unsigned"]);
});

it("a power cut is told by the chain itself: the half line, and the start that says so", () => {
  const half = Buffer.from('{"entry":4,"at":17');
  const cut = good();
  const [first] = cut.octets();
  const whole = Buffer.concat([first ?? new Uint8Array(0), half]);
  expect(verify([whole])).toMatchObject({ result: "unsigned-tail", findings: [] });

  const after = (dropped: number) => {
    const chain = new Chain().push(start).use().use().head().use();
    const before = Buffer.concat([chain.octets()[0] ?? new Uint8Array(0), half]);
    return [
      before,
      ...chain
        .segment()
        .push({ ...start, dropped })
        .head()
        .octets()
        .slice(1),
    ];
  };
  expect(verify(after(half.length))).toMatchObject({ result: "sound", cuts: [6], findings: [] });
  expect(codes(after(half.length - 1))).toEqual(["audit/half-line"]);
  const silent = new Chain().push(start).use();
  const hidden = [
    Buffer.concat([silent.octets()[0] ?? new Uint8Array(0), half]),
    ...silent.segment().use().head().octets().slice(1),
  ];
  expect(codes(hidden)).toEqual(["audit/half-line"]);
});

/** Every way to spoil a log with one blow, but to cut off its end where a head stands: for that, one must know how far it came. */
const blow = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("delete" as const), at: fc.nat(), length: fc.integer({ min: 1, max: 400 }) }),
  fc.record({
    kind: fc.constant("insert" as const),
    at: fc.nat(),
    octets: fc.uint8Array({ minLength: 1, maxLength: 50 }),
  }),
  fc.record({ kind: fc.constant("drop line" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("exchange lines" as const), at: fc.nat(), with: fc.nat() }),
  fc.record({ kind: fc.constant("repeat line" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("truncate" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("forge on" as const), at: fc.nat() }),
);
it("any one blow to a log is found", () => {
  const chain = good();
  const whole = Buffer.concat(chain.octets());
  const lines = chain.segments.flat();
  const text = (changed: string[]) => Buffer.from(changed.map((line) => `${line}\n`).join(""));
  fc.assert(
    fc.property(blow, (struck) => {
      const spoiled = (() => {
        const line = struck.at % lines.length;
        const at = struck.at % whole.length;
        switch (struck.kind) {
          case "flip": {
            const octets = Buffer.from(whole);
            octets[at] = (octets[at] ?? 0) ^ (1 << struck.bit);
            return octets;
          }
          case "delete":
            return Buffer.concat([whole.subarray(0, at), whole.subarray(at + struck.length)]);
          case "insert":
            return Buffer.concat([whole.subarray(0, at), struck.octets, whole.subarray(at)]);
          case "drop line":
            return text(lines.toSpliced(line, 1));
          case "exchange lines": {
            const other = struck.with % lines.length;
            return text(lines.with(line, lines[other] ?? "").with(other, lines[line] ?? ""));
          }
          case "repeat line":
            return text(lines.toSpliced(line, 0, lines[line] ?? ""));
          case "truncate":
            return whole.subarray(0, at);
          case "forge on": {
            // Changed from one entry on, with all hashes made again: only the signatures cannot be.
            const forged = new Chain();
            for (const [i, old] of lines.entries()) {
              const { entry: _, at: time, previous: __, ...event } = JSON.parse(old);
              forged.push(i >= line && event.event === "join" ? { ...event, nonce: 65_535 } : event, time);
            }
            return text(forged.segments.flat());
          }
        }
      })();
      fc.pre(!spoiled.equals(whole));
      expect(verify([spoiled], { atLeast: lines.length }).result).not.toBe("sound");
    }),
    { numRuns: 2_000 },
  );
});

it("a verifier never throws, whatever it is given", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (segments) => {
      expect(["sound", "unsigned-tail", "broken"]).toContain(verify(segments).result);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => void parseAuditEntry(Buffer.from(JSON.stringify(value)))),
    { numRuns: 500 },
  );
});

it("segments are named by process and first entry, and sort as the entries do", () => {
  expect(segmentName(3, 1234)).toBe("3-000000001234.jsonl");
  expect(parseSegmentName("3-000000001234.jsonl")).toEqual({ instance: 3, firstEntry: 1234 });
  for (const name of ["3-1234.jsonl", "03-000000001234.jsonl", "x", "3-000000001234.jsonl.new"])
    expect(parseSegmentName(name)).toBeUndefined();
  expect(linesOf(Buffer.from("a\n\nbc"))).toMatchObject({ rest: 2, lines: { length: 2 } });
});
