import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aFrame, someJoinAcceptFields } from "../../test/arbitraries.ts";
import {
  type DataUp,
  decodeJoinAcceptFields,
  decodePhyPayload,
  encodeJoinAcceptFields,
  encodePhyPayload,
  type Frame,
  frameRefusals,
  fromHex,
  isRefused,
  parseDevAddr,
  toHex,
} from "../index.ts";

const octets = (text: string): Uint8Array => fromHex(text.replaceAll(" ", "")) ?? expect.fail(text);
const refusal = (text: string): string | undefined => {
  const frame = decodePhyPayload(octets(text));
  return isRefused(frame) ? frame.reason : undefined;
};

describe("PHYPayload", () => {
  test("every frame reads back from its octets", () => {
    fc.assert(
      fc.property(aFrame, (frame) => {
        expect(decodePhyPayload(encodePhyPayload(frame))).toEqual(frame);
      }),
      { numRuns: 1000 },
    );
  });
  test("octets are read to a frame that writes the same octets, or are refused", () => {
    let frames = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(0x00, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xe0),
        fc.uint8Array({ maxLength: 60 }),
        (mhdr, rest) => {
          const given = Uint8Array.of(mhdr, ...rest);
          const frame = decodePhyPayload(given);
          if (isRefused(frame)) return;
          frames++;
          expect(toHex(encodePhyPayload(frame))).toBe(toHex(given));
        },
      ),
      { numRuns: 1000 },
    );
    expect(frames).toBeGreaterThan(100);
  });

  test.each([
    ["", "frame/empty"],
    [`e0${"00".repeat(255)}`, "frame/too-long"],
    ["41 04030201 00 0100 00000000", "mhdr/major"],
    ["44 04030201 00 0100 00000000", "mhdr/rfu"],
    [`00${"00".repeat(21)}`, "join-request/length"],
    [`00${"00".repeat(23)}`, "join-request/length"],
    [`20${"00".repeat(15)}`, "join-accept/length"],
    [`20${"00".repeat(17)}`, "join-accept/length"],
    [`c003${"00".repeat(17)}`, "rejoin-request/type"],
    ["c0", "rejoin-request/type"],
    [`c000${"00".repeat(18)}`, "rejoin-request/length"],
    [`c001${"00".repeat(17)}`, "rejoin-request/length"],
    ["40 04030201 00 0100 000000", "data/length"],
    ["40 04030201 01 0100 00000000", "data/fopts-length"],
    ["40 04030201 01 0100 02 00 00000000", "data/fopts-with-fport-0"],
    ["a0 04030201 01 0100 02 00 aa 00000000", "data/fopts-with-fport-0"],
  ])("%s is refused: %s", (text, reason) => {
    expect(refusal(text)).toBe(reason);
    expect(Object.keys(frameRefusals)).toContain(reason);
  });
  test("every refusal of a PHYPayload has a case above or is of a clear join-accept", () => {
    expect(Object.keys(frameRefusals).filter((reason) => !reason.startsWith("join-accept/"))).toHaveLength(10);
  });
  test("FOpts may fill the frame; FPort 0 may be alone; FPort may come without FRMPayload", () => {
    expect(refusal("40 04030201 03 0100 020305 00000000")).toBeUndefined();
    expect(refusal("40 04030201 00 0100 00 00000000")).toBeUndefined();
    expect(decodePhyPayload(octets("40 04030201 01 0100 02 0a 00000000"))).toMatchObject({
      fPort: 10,
      frmPayload: new Uint8Array(),
    });
    expect(decodePhyPayload(octets("40 04030201 00 0100 00000000"))).toMatchObject({ fPort: undefined });
  });
  test("decoded octets are views on the input, encoded ones are not", () => {
    const given = octets("40 04030201 00 0100 0a aabb 00000000");
    const frame = decodePhyPayload(given) as DataUp;
    given[9] = 0x11;
    expect(toHex(frame.frmPayload)).toBe("11bb");
    expect(encodePhyPayload(frame).buffer).not.toBe(given.buffer);
  });

  const data = {
    type: "UnconfirmedDataUp",
    devAddr: parseDevAddr("01020304") ?? expect.fail(),
    adr: false,
    adrAckReq: false,
    ack: false,
    classB: false,
    fCnt: 1,
    fOpts: new Uint8Array(),
    fPort: 1,
    frmPayload: new Uint8Array(),
  } as const;
  test.each<[string, Partial<DataUp>]>([
    ["FOpts of 16 octets", { fOpts: new Uint8Array(16) }],
    ["FRMPayload without FPort", { fPort: undefined, frmPayload: new Uint8Array(1) }],
    ["FOpts beside FPort 0", { fPort: 0, fOpts: new Uint8Array(1) }],
    ["FPort 256", { fPort: 256 }],
    ["a counter of 17 bits", { fCnt: 0x10000 }],
    ["a MIC of 3 octets", { mic: new Uint8Array(3) }],
    ["256 octets in all", { frmPayload: new Uint8Array(243) }],
  ])("%s cannot be encoded", (_, change) => {
    expect(() => encodePhyPayload({ ...data, ...change } as DataUp)).toThrow(RangeError);
    expect(encodePhyPayload(data)).toHaveLength(13);
  });
  test("a refusal is no frame, and a frame's fields need its type to be known", () => {
    const frame: Frame | { readonly reason: string } = decodePhyPayload(octets("e0aa"));
    // @ts-expect-error a refusal has no type
    expect(frame.type).toBe("Proprietary");
    if (isRefused(frame)) expect.fail(frame.reason);
    // @ts-expect-error not every frame has a DevAddr
    expect(frame.devAddr).toBeUndefined();
  });
});

describe("join-accept in the clear (TS001-1.0.4 §6.2.6)", () => {
  test("fields read back, with either CFList and with none", () => {
    fc.assert(
      fc.property(someJoinAcceptFields, (fields) => {
        expect(decodeJoinAcceptFields(encodeJoinAcceptFields(fields))).toEqual(fields);
      }),
    );
  });
  test("octets read to fields that write them again, or are refused", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(12, 28),
        fc.uint8Array({ minLength: 28, maxLength: 28 }),
        fc.nat(2),
        fc.nat(17),
        (length, random, cfListType, rxDelay) => {
          random[11] = rxDelay;
          random[15 + 12] = cfListType;
          if (cfListType === 1) random[14 + 12] = 0;
          const given = random.subarray(0, length);
          const fields = decodeJoinAcceptFields(given);
          const acceptable = rxDelay < 16 && (length === 12 || cfListType < 2);
          expect("reason" in fields).toBe(!acceptable);
          if (!("reason" in fields)) expect(toHex(encodeJoinAcceptFields(fields))).toBe(toHex(given));
        },
      ),
    );
  });
  test("EU868's CFList: five frequencies in 100 Hz, type 0", () => {
    const fields = decodeJoinAcceptFields(octets("010000 000000 04030201 00 01 184f84 e85684 b85e84 886684 586e84 00"));
    expect(fields).toMatchObject({
      cfList: { type: 0, frequencies: [867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000] },
    });
  });
  test("US915's CFList: masks of channels, type 1", () => {
    const fields = decodeJoinAcceptFields(
      octets("010000 000000 04030201 08 01 00ff 0000 0000 0000 0200 0000 0000 00 01"),
    );
    expect(fields).toMatchObject({ cfList: { type: 1, channelMasks: [0xff00, 0, 0, 0, 2, 0, 0] } });
  });
  test.each([
    ["0".repeat(26), "join-accept/length"],
    ["000000 000000 00000000 00 10", "join-accept/rfu"],
    [`000000 000000 00000000 00 01 ${"00".repeat(15)}02`, "join-accept/cflist-type"],
    [`000000 000000 00000000 00 01 ${"00".repeat(14)}0101`, "join-accept/rfu"],
  ])("%s is refused: %s", (text, reason) => expect(decodeJoinAcceptFields(octets(text))).toEqual({ reason }));
});
