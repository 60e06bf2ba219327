/** Second opinions: @noble/ciphers' CMAC and key wrap, Node's AES; and vectors that published.json does not have. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { aeskw, cmac } from "@noble/ciphers/aes.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as lorawan from "../index.ts";
import { fromHex, KeySchedule, KeyScheduleCache, toHex } from "../index.ts";

const octets = (text: string): Uint8Array => fromHex(text) ?? expect.fail(text);
const repeated = (octet: number): Uint8Array => new Uint8Array(16).fill(octet);
const aKey = fc.uint8Array({ minLength: 16, maxLength: 16 });
const aKek = fc.constantFrom(16, 24, 32).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
const aU32 = fc.integer({ min: 0, max: 0xffffffff });
const devAddr = 0x01020304;
const frame = octets("40040302010001000101020304");

describe("AES", () => {
  test("CMAC agrees with @noble/ciphers for every length and key length (RFC 4493)", () => {
    fc.assert(
      fc.property(aKek, fc.uint8Array({ maxLength: 80 }), (key, message) => {
        expect(new KeySchedule(key).cmac(message)).toEqual(cmac(message, key));
      }),
    );
  });
  test("key wrap agrees with @noble/ciphers and Node, and unwraps (RFC 3394)", () => {
    fc.assert(
      fc.property(aKek, aKek, (kek, key) => {
        const wrapped = lorawan.wrapKey(kek, key);
        expect(toHex(wrapped)).toBe(toHex(aeskw(kek).encrypt(key)));
        const cipher = createCipheriv(`id-aes${kek.length * 8}-wrap`, kek, new Uint8Array(8).fill(0xa6));
        expect(toHex(wrapped)).toBe(Buffer.concat([cipher.update(key), cipher.final()]).toString("hex"));
        expect(toHex(lorawan.unwrapKey(kek, wrapped) ?? new Uint8Array())).toBe(toHex(key));
      }),
    );
  });
  test("a wrapped key with any octet changed, of another length or under another KEK is refused (RFC 3394 §2.2.3)", () => {
    const wrapped = lorawan.wrapKey(repeated(1), repeated(2));
    for (let at = 0; at < wrapped.length; at++) {
      const changed = wrapped.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(lorawan.unwrapKey(repeated(1), changed)).toBeUndefined();
    }
    expect(lorawan.unwrapKey(repeated(3), wrapped)).toBeUndefined();
    for (const length of [0, 8, 16, 23, 25])
      expect(lorawan.unwrapKey(repeated(1), new Uint8Array(length))).toBeUndefined();
    expect(() => lorawan.wrapKey(repeated(1), new Uint8Array(8))).toThrow(RangeError);
  });
  test("block decryption is Node's", () => {
    fc.assert(
      fc.property(aKey, fc.uint8Array({ minLength: 32, maxLength: 32 }), (key, blocks) => {
        const decipher = createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
        const wanted = decipher.update(blocks).toString("hex");
        lorawan.decryptBlocks(key, blocks);
        expect(toHex(blocks)).toBe(wanted);
      }),
    );
  });
  test.each([0, 15, 17, 33])("%i octets are no key", (length) =>
    expect(() => new KeySchedule(new Uint8Array(length))).toThrow(RangeError),
  );
  test("a schedule neither shows nor keeps hold of the key", () => {
    const key = repeated(7);
    const schedule = new KeySchedule(key);
    key.fill(0);
    expect(toHex(schedule.cmac(new Uint8Array()))).toBe(toHex(cmac(new Uint8Array(), repeated(7))));
    expect(JSON.stringify({ schedule })).toBe('{"schedule":"KeySchedule"}');
    expect(Object.keys(schedule)).toEqual([]);
    schedule.wipe();
    expect(toHex(schedule.cmac(new Uint8Array()))).not.toBe(toHex(cmac(new Uint8Array(), repeated(7))));
  });
  test("equalOctets compares all octets", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(lorawan.equalOctets(a, b)).toBe(toHex(a) === toHex(b));
      }),
    );
    expect(lorawan.equalOctets(repeated(1), repeated(1))).toBe(true);
  });
});

describe("the cache of schedules", () => {
  test("expands a key once while it is in use, and holds no more than its capacity", () => {
    const cache = new KeyScheduleCache<number>(8);
    let expanded = 0;
    const key = () => {
      expanded++;
      return repeated(1);
    };
    const first = cache.get(0, key);
    for (let id = 1; id < 1000; id++) {
      expect(cache.get(0, key)).toBe(first);
      cache.get(id, key);
      expect(cache.size).toBeLessThanOrEqual(8);
    }
    expect(expanded).toBe(1000);
    expect(cache.peek(1)).toBeUndefined();
  });
  test("a deleted key is gone and wiped, and another may take its id", () => {
    const cache = new KeyScheduleCache<string>(4);
    const old = cache.get("a", () => repeated(1));
    const before = toHex(old.cmac(repeated(0)));
    cache.delete("a");
    expect(cache.peek("a")).toBeUndefined();
    expect(toHex(old.cmac(repeated(0)))).not.toBe(before);
    expect(toHex(cache.get("a", () => repeated(2)).cmac(repeated(0)))).toBe(toHex(cmac(repeated(0), repeated(2))));
  });
});

describe("data frames", () => {
  const nwkSKey = new KeySchedule(repeated(1));
  const mic = (value: number): string => toHex(lorawan.micOctets(value));
  const b0 = (dir: number, fCnt: number, message: Uint8Array, conf = 0, txDr = 0, txCh = 0): Uint8Array => {
    const block = new Uint8Array(16 + message.length);
    block.set([0x49, conf & 255, conf >> 8, txDr, txCh, dir]);
    block.set(message.subarray(1, 5), 6);
    block.set([fCnt, fCnt >>> 8, fCnt >>> 16, fCnt >>> 24, 0, message.length], 10);
    block.set(message, 16);
    return block;
  };
  const aMessage = fc.uint8Array({ minLength: 8, maxLength: 251 });

  test("MICs are the CMAC of the block that the specification draws (TS001-1.0.4 §4.4; 1.1 §4.4)", () => {
    fc.assert(
      fc.property(
        aKey,
        aKey,
        aU32,
        fc.integer({ min: 0, max: 0xffff }),
        fc.nat(15),
        fc.nat(255),
        aMessage,
        (s, f, fCnt, confFCnt, txDr, txCh, message) => {
          const conf = (message[5] ?? 0) & 0x20 ? confFCnt : 0;
          const tag = (key: Uint8Array, block: Uint8Array) => toHex(cmac(block, key));
          const [sKey, fKey] = [new KeySchedule(s), new KeySchedule(f)];
          expect(mic(lorawan.mic10(sKey, "up", fCnt, message))).toBe(tag(s, b0(0, fCnt, message)).slice(0, 8));
          expect(mic(lorawan.mic10(sKey, "down", fCnt, message))).toBe(tag(s, b0(1, fCnt, message)).slice(0, 8));
          expect(mic(lorawan.mic11Down(sKey, fCnt, confFCnt, message))).toBe(
            tag(s, b0(1, fCnt, message, conf)).slice(0, 8),
          );
          expect(mic(lorawan.mic11Up(sKey, fKey, fCnt, { confFCnt, txDr, txCh }, message))).toBe(
            tag(s, b0(0, fCnt, message, conf, txDr, txCh)).slice(0, 4) + tag(f, b0(0, fCnt, message)).slice(0, 4),
          );
        },
      ),
    );
  });
  test("a frame verifies under its key, counter and direction, and under no other", () => {
    fc.assert(
      fc.property(aKey, aU32, aMessage, fc.nat(31), (key, fCnt, message, bit) => {
        const schedule = new KeySchedule(key);
        const phyPayload = new Uint8Array(message.length + 4);
        phyPayload.set(message);
        lorawan.writeMic(phyPayload, lorawan.mic10(schedule, "up", fCnt, message));
        expect(lorawan.verifyMic10(schedule, "up", fCnt, phyPayload)).toBe(true);
        expect(lorawan.verifyMic10(schedule, "down", fCnt, phyPayload)).toBe(false);
        expect(lorawan.verifyMic10(schedule, "up", (fCnt ^ (1 << bit)) >>> 0, phyPayload)).toBe(false);
        const last = phyPayload.length - 1 - (bit >> 3);
        phyPayload[last] = (phyPayload[last] ?? 0) ^ (1 << (bit & 7));
        expect(lorawan.verifyMic10(schedule, "up", fCnt, phyPayload)).toBe(false);
      }),
    );
  });
  test("1.1 uplinks bind data rate and channel to the S half; the forwarding half binds neither (1.1 §4.4)", () => {
    const [s, f] = [new KeySchedule(repeated(2)), nwkSKey];
    const context = { confFCnt: 5, txDr: 5, txCh: 2 };
    const phyPayload = new Uint8Array(frame.length + 4);
    phyPayload.set(frame);
    lorawan.writeMic(phyPayload, lorawan.mic11Up(s, f, 1, context, frame));
    expect(lorawan.verifyMic11Up(s, f, 1, context, phyPayload)).toBe(true);
    expect(lorawan.verifyMic11Up(s, f, 1, { ...context, txCh: 3 }, phyPayload)).toBe(false);
    expect(lorawan.verifyMic11Up(s, f, 1, { ...context, txDr: 4 }, phyPayload)).toBe(false);
    // No ACK in the frame: ConfFCnt does not count.
    expect(lorawan.verifyMic11Up(s, f, 1, { ...context, confFCnt: 6 }, phyPayload)).toBe(true);
    expect(lorawan.verifyMic11UpForwarding(f, 1, phyPayload)).toBe(true);
    expect(lorawan.verifyMic11UpForwarding(s, 1, phyPayload)).toBe(false);
  });
  test("FRMPayload and FOpts are encrypted with the A blocks of TS001-1.0.4 §4.3.3 and 1.1 §4.3.1.6", () => {
    fc.assert(
      fc.property(aKey, aU32, aU32, fc.uint8Array({ maxLength: 242 }), (key, address, fCnt, payload) => {
        const counter = new Uint8Array(16);
        counter.set([
          1,
          0,
          0,
          0,
          0,
          1,
          address,
          address >>> 8,
          address >>> 16,
          address >>> 24,
          fCnt,
          fCnt >>> 8,
          fCnt >>> 16,
          fCnt >>> 24,
          0,
          1,
        ]);
        const wanted = createCipheriv("aes-128-ctr", key, counter).update(payload).toString("hex");
        const schedule = new KeySchedule(key);
        const encrypted = lorawan.cryptFrmPayload(schedule, "down", address, fCnt, payload);
        expect(toHex(encrypted)).toBe(wanted);
        lorawan.cryptFrmPayload(schedule, "down", address, fCnt, encrypted, encrypted);
        expect(toHex(encrypted)).toBe(toHex(payload));
      }),
    );
  });
  test("FOpts: erratum and the literal 1.1.0 text", () => {
    const fOpts = octets("01020304");
    expect(toHex(lorawan.cryptFOpts(nwkSKey, "FCntUp", devAddr, 1, fOpts))).toBe("23615f18");
    expect(toHex(lorawan.cryptFOpts(nwkSKey, "NFCntDown", devAddr, 1, fOpts))).toBe("b2dbe391");
    expect(toHex(lorawan.cryptFOpts(nwkSKey, "AFCntDown", devAddr, 1, fOpts))).toBe("f1b1baa0");
    expect(toHex(lorawan.cryptFOpts(nwkSKey, "FCntUp", devAddr, 1, fOpts, "literal-1.1.0"))).toBe("33c92622");
  });
});

describe("frame counters (TS001-1.0.4 §4.3.1.5)", () => {
  test("the lowest counter from the bound on with the 16 bits that were sent", () => {
    fc.assert(
      fc.property(aU32, fc.nat(0xffff), (atLeast, fCnt16) => {
        const full = lorawan.reconstructFCnt(atLeast, fCnt16);
        if (full === undefined) expect(atLeast).toBeGreaterThan(0xffff0000 + fCnt16);
        else {
          expect(full % 0x10000).toBe(fCnt16);
          expect(full).toBeGreaterThanOrEqual(atLeast);
          expect(full - atLeast).toBeLessThan(0x10000);
        }
      }),
    );
    expect(lorawan.reconstructFCnt(0, 5)).toBe(5);
    expect(lorawan.reconstructFCnt(0x30005, 5)).toBe(0x30005);
    expect(lorawan.reconstructFCnt(0x1fffe + 1, 0)).toBe(0x20000);
    expect(lorawan.reconstructFCnt(0xffffffff, 0xfffe)).toBeUndefined();
    expect(lorawan.reconstructFCnt(2 ** 32, 0)).toBeUndefined();
  });
  test("a counter that was reconstructed from what was sent after it is the one that was sent", () => {
    fc.assert(
      fc.property(aU32, fc.nat(0xfffe), (last, lost) => {
        const sent = last + 1 + lost;
        fc.pre(sent <= 0xffffffff);
        expect(lorawan.reconstructFCnt(last + 1, sent % 0x10000)).toBe(sent);
      }),
    );
  });
  test("MaxFCntGap drops a frame before 1.0.4 (1.0.3 §4.3.1.5), not in a new session, and not from 1.0.4 on", () => {
    expect(lorawan.exceedsMaxFCntGap(100, 16484, lorawan.rules("1.0.3").maxFCntGap)).toBe(false);
    expect(lorawan.exceedsMaxFCntGap(100, 16485, lorawan.rules("1.0.3").maxFCntGap)).toBe(true);
    expect(lorawan.exceedsMaxFCntGap(undefined, 60000, lorawan.rules("1.0.3").maxFCntGap)).toBe(false);
    expect(lorawan.exceedsMaxFCntGap(100, 60000, lorawan.rules("1.0.4").maxFCntGap)).toBe(false);
  });
});

describe("joins", () => {
  const fields = octets("030201030201040302010001");
  test("a join-accept round trip; its MIC binds the join-request where OptNeg is set (1.1 §6.2.3)", () => {
    const joinEui = lorawan.parseJoinEui("0102030405060708") ?? expect.fail();
    const context = { joinReqType: 0xff, joinEui, devNonce: 0x0102 } as const;
    const mic = lorawan.joinAcceptMic11(repeated(1), context, fields);
    for (const other of [
      { ...context, devNonce: 0x0103 },
      { ...context, joinReqType: 0 as const },
    ])
      expect(toHex(lorawan.joinAcceptMic11(repeated(1), other, fields))).not.toBe(toHex(mic));
    const phyPayload = lorawan.encryptJoinAccept(repeated(2), fields, mic);
    const opened = lorawan.decryptJoinAccept(repeated(2), phyPayload);
    expect(toHex(opened?.fields ?? fields.slice(1))).toBe(toHex(fields));
    expect(toHex(opened?.mic ?? fields)).toBe(toHex(mic));
    expect(lorawan.decryptJoinAccept(repeated(2), phyPayload.subarray(1))).toBeUndefined();
  });
  test("an impossible length of fields is the caller's mistake", () =>
    expect(() => lorawan.encryptJoinAccept(repeated(2), fields.subarray(1), fields.subarray(0, 4))).toThrow(
      RangeError,
    ));
  test("McKey travels encrypted so that the device encrypts to get it back (TS005 §4)", () => {
    const encrypted = lorawan.encryptMcKey(repeated(1), repeated(2));
    expect(toHex(encrypted)).toBe("3437d6e231d702419b51b4947271b611");
    const back = new Uint8Array(16);
    new KeySchedule(repeated(1)).encryptBlock(encrypted, 0, back, 0);
    expect(back).toEqual(repeated(2));
  });
  test("WOR session keys and the data block integrity key (TS011, TS004-2.0.0)", () => {
    const root = octets("60f8acd9de2cc506fb06639408fe574a");
    const keys = lorawan.deriveWorSessionKeys(root, lorawan.devAddrFromNumber(devAddr));
    expect([toHex(keys.worSIntKey), toHex(keys.worSEncKey)]).toEqual([
      "d2d5fbb69f4ee04f76b7cf501cd3d9c7",
      "4bdcf45deda637c3bc6c497a0ad07a3d",
    ]);
    expect(toHex(lorawan.deriveDataBlockIntKey(octets("0302030405060708090a0b0c0d0e0f10")))).toBe(
      "89f3f7afc540320e8b59f49ea754c378",
    );
  });
  test("derived keys lie on allocations of more than 64 octets, so that no copy stays on the moving heap", () => {
    expect(lorawan.deriveRootWorSKey(repeated(1)).buffer.byteLength).toBeGreaterThan(64);
    expect(
      lorawan.unwrapKey(repeated(1), lorawan.wrapKey(repeated(1), repeated(2)))?.buffer.byteLength,
    ).toBeGreaterThan(64);
  });
});
