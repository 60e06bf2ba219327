import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type DevAddr,
  type DevEui,
  devAddrFromNumber,
  devAddrOf,
  devAddrOwner,
  devAddrRange,
  devAddrToNumber,
  fromBase64,
  fromHex,
  type JoinEui,
  mayBelongTo,
  netIdFromNumber,
  netIdToNumber,
  netIdType,
  parseDevAddr,
  parseDevEui,
  parseJoinEui,
  parseNetId,
  parseQrCode,
  printQrCode,
  readDevEui,
  toBase64,
  toHex,
  writeIdentifier,
} from "../index.ts";

describe("text of octets", () => {
  test("hex and base64 agree with Node's and read back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (octets) => {
        expect(toHex(octets)).toBe(Buffer.from(octets).toString("hex"));
        expect(toBase64(octets)).toBe(Buffer.from(octets).toString("base64"));
        expect(fromHex(toHex(octets).toUpperCase())).toEqual(octets);
        expect(fromBase64(toBase64(octets))).toEqual(octets);
      }),
    );
  });
  test.each(["0", "0g", "00zz11", " 00", "0x00", "00\n", "０0", "é0", "-1"])("hex refuses %j", (text) =>
    expect(fromHex(text)).toBeUndefined(),
  );
  test("hex refuses another length than the one wanted", () => {
    expect(fromHex("0011", 2)).toHaveLength(2);
    expect(fromHex("0011", 3)).toBeUndefined();
  });
  test.each(["A", "AA", "AAA", "AA=A", "A===", "====", "AB==", "AAB=", "AA==AAAA", "AA-_", "AAA ", "é000"])(
    "base64 refuses %j",
    (text) => expect(fromBase64(text)).toBeUndefined(),
  );
  test("base64 takes what it prints and nothing else", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const octets = fromBase64(text);
        if (octets) expect(toBase64(octets)).toBe(text);
      }),
    );
  });
});

describe("identifiers", () => {
  test("are lower-case text, and reversed on the air (TS001-1.0.4 §1.2)", () => {
    const devEui = parseDevEui("70B3D57ED00003FF");
    expect(devEui).toBe("70b3d57ed00003ff");
    const octets = new Uint8Array(10);
    if (devEui) writeIdentifier(octets, 1, devEui);
    expect(toHex(octets)).toBe("00ff0300d07ed5b37000");
    expect(readDevEui(octets, 1)).toBe(devEui);
  });
  test.each(["", "70b3d57ed00003f", "70b3d57ed00003fff", "70b3d57ed00003fg", "70-b3-d5-7e-d0-00"])(
    "%j is no EUI",
    (text) => {
      expect(parseDevEui(text)).toBeUndefined();
      expect(parseJoinEui(text)).toBeUndefined();
      expect(parseNetId(text)).toBeUndefined();
    },
  );
  test("one kind is not another's, and text is none", () => {
    const takes = (_: DevEui): void => {};
    const joinEui = parseJoinEui("0000000000000001") as JoinEui;
    // @ts-expect-error a JoinEUI is no DevEUI
    takes(joinEui);
    // @ts-expect-error text is no DevEUI before it is parsed
    takes("0000000000000001");
    expect(joinEui).toBe("0000000000000001");
  });
  test("numbers and DevAddrs are one to one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        expect(devAddrToNumber(devAddrFromNumber(value))).toBe(value);
      }),
    );
    expect(() => devAddrFromNumber(2 ** 32)).toThrow(RangeError);
    expect(() => netIdFromNumber(-1)).toThrow(RangeError);
  });
});

describe("NetID and DevAddr (TS002-1.1, NetID types)", () => {
  const net = (text: string) => {
    const id = parseNetId(text);
    if (!id) throw new Error(text);
    return id;
  };
  /** NetID, its type, its first DevAddr. */
  const rows = [
    ["000013", 0, "26000000"],
    ["200010", 1, "90000000"],
    ["4001a2", 2, "da200000"],
    ["6000ff", 3, "e1fe0000"],
    ["800123", 4, "f0918000"],
    ["a00123", 5, "f8246000"],
    ["c00035", 6, "fc00d400"],
    ["e00123", 7, "fe009180"],
  ] as const;
  test.each(rows)("NetID %s has type %i and addresses from %s", (text, type, first) => {
    expect(netIdType(net(text))).toBe(type);
    expect(devAddrOf(net(text), 0)).toBe(first);
    expect(() => devAddrOf(net(text), devAddrRange(net(text)).size)).toThrow(RangeError);
  });
  test("blocks have 2^25, 2^24, 2^20, 2^17, 2^15, 2^13, 2^10, 2^7 addresses", () => {
    expect(rows.map(([text]) => Math.log2(devAddrRange(net(text)).size))).toEqual([25, 24, 20, 17, 15, 13, 10, 7]);
  });
  test("every address of a network may belong to it, names it as a possible owner, and to no network of another block", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffff }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 0, max: 0xffffff }),
        (number, part, other) => {
          const netId = netIdFromNumber(number);
          // Types 0 to 2 have RFU bits above their ID: such a NetID shares the block of the one without them.
          const { size } = devAddrRange(netId);
          const address = devAddrOf(netId, Math.floor(part * size));
          expect(mayBelongTo(address, netId)).toBe(true);
          const owner = devAddrOwner(address);
          expect(owner?.type).toBe(netIdType(netId));
          if (netIdType(netId) > 2) expect([...(owner?.netIds() ?? [])]).toContain(netIdToNumber(netId));
          const same = devAddrRange(netIdFromNumber(other)).first === devAddrRange(netId).first;
          expect(mayBelongTo(address, netIdFromNumber(other))).toBe(same);
        },
      ),
    );
  });
  test("type 7 addresses are shared by 16 NetIDs, prefix FF by nobody", () => {
    const shared = parseDevAddr("fe009180") as DevAddr;
    expect(devAddrOwner(shared)?.sharedBy).toBe(16);
    expect([...(devAddrOwner(shared)?.netIds() ?? [])].map((id) => netIdFromNumber(id))).toContain("e00123");
    expect(devAddrOwner(parseDevAddr("ff000000") as DevAddr)).toBeUndefined();
    expect(devAddrOwner(parseDevAddr("ffffffff") as DevAddr)).toBeUndefined();
  });
});

describe("QR codes (TR005)", () => {
  /** The example of TR005, whose CRC this is. */
  const example = "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122:OAABBCCDDEEFF:SYYWWNNNNNN:PFOOBAR:CAF2C";
  test("the example of TR005 reads, with its checksum, and prints again", () => {
    const code = parseQrCode(example);
    if ("reason" in code) throw new Error(code.reason);
    expect(code).toEqual({
      joinEui: "1122334455667788",
      devEui: "aabbccddeeff0011",
      vendorId: "aabb",
      vendorProfileId: "1122",
      ownerToken: "AABBCCDDEEFF",
      serialNumber: "YYWWNNNNNN",
      proprietary: "FOOBAR",
      hasChecksum: true,
    });
    expect(printQrCode(code, { checksum: true })).toBe(example);
  });
  test("extensions come in any order, each once", () => {
    const base = "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122";
    expect(parseQrCode(`${base}:PX:O1:S2`)).toMatchObject({ proprietary: "X", ownerToken: "1", serialNumber: "2" });
    expect(parseQrCode(`${base}:S1:S2`)).toEqual({ reason: "qr-code/repeated-extension" });
    expect(parseQrCode(`${base}:X1`)).toEqual({ reason: "qr-code/extension" });
    expect(parseQrCode(`${base}:S`)).toEqual({ reason: "qr-code/extension" });
    expect(parseQrCode(`${base}:CFFFF`)).toEqual({ reason: "qr-code/checksum" });
  });
  test.each([
    ["", "qr-code/not-lorawan"],
    ["URN:LW:DP:1122334455667788", "qr-code/not-lorawan"],
    ["LW:D1:1122334455667788:AABBCCDDEEFF0011:AABB1122", "qr-code/schema"],
    ["LW:D0:112233445566778:AABBCCDDEEFF0011:AABB1122", "qr-code/join-eui"],
    ["LW:D0:1122334455667788", "qr-code/dev-eui"],
    ["LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB112", "qr-code/profile-id"],
  ])("%j is refused: %s", (text, reason) => expect(parseQrCode(text)).toEqual({ reason }));
  test("one character changed before the checksum is refused", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: example.length - 7 }),
        fc.constantFrom(..."0123456789ABCDEF"),
        (at, letter) => {
          const changed = example.slice(0, at) + letter + example.slice(at + 1);
          if (changed !== example) expect(parseQrCode(changed)).toHaveProperty("reason");
        },
      ),
    );
  });
  test("any text is read or refused", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseQrCode(`LW:D0:${text}`)).toBeTypeOf("object");
      }),
    );
  });
});
