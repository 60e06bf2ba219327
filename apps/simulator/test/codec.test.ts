import { readFileSync } from "node:fs";
import loraPacketModule from "lora-packet";
import { describe, expect, test } from "vitest";
import { cmac, decryptBlocks } from "../src/crypto/aes.ts";
import { cryptFOpts, cryptFrmPayload, down, mic10, micDown11, micUp11, up } from "../src/crypto/data-frames.ts";
import { jsEncKey, jsIntKey, sessionKeys10, sessionKeys11 } from "../src/crypto/session-keys.ts";
import { type Identity, joinRequest, openJoinAccept } from "../src/device/join.ts";
import { encodeUplink, receiveDownlink, type Session } from "../src/device/session.ts";
import { decodeDataFrame } from "../src/frames.ts";
import { concat, fromHex, toHex } from "../src/octets.ts";
import { seededRandom } from "../src/random.ts";

type Fields = Record<string, string> & {
  fCnt32: number;
  dir: 0 | 1;
  confFCnt: number;
  txDr: number;
  txCh: number;
  devNonce: number;
  joinReqType: number;
};
type Vector = {
  id: string;
  kind: string;
  op?: string;
  name: string;
  inputs: Fields;
  expected: Record<string, string> & { fCnt: number; fPort: number; devNonce: number; joinNonce: number };
};
const vectors: Vector[] = JSON.parse(
  readFileSync(new URL("../../../vectors/published.json", import.meta.url), "utf8"),
).vectors;
const of = (kind: string, op?: string) =>
  vectors
    .filter((vector) => vector.kind === kind && vector.op === op)
    .map((vector) => [`${vector.id} ${vector.name}`, vector] as const);
const number = (value: string | number) => (typeof value === "number" ? value : Number.parseInt(value, 16));
const hex = (text: string | undefined) => fromHex(text ?? "");
const lora = loraPacketModule as unknown as typeof loraPacketModule.default;

describe("published vectors", () => {
  test.each(of("cmac"))("AES-CMAC %s", (_, { inputs, expected }) => {
    expect(toHex(cmac(hex(inputs.key), hex(inputs.msg)))).toBe(expected.cmac);
  });
  test.each(of("session-keys-1.0"))("keys of 1.0 %s", (_, { inputs, expected }) => {
    const keys = sessionKeys10(hex(inputs.appKey), {
      joinNonce: number(inputs.joinNonce as string),
      netId: inputs.netID as string,
      devNonce: number(inputs.devNonce),
    });
    expect(toHex(keys.fNwkSIntKey)).toBe(expected.nwkSKey);
    expect(toHex(keys.appSKey)).toBe(expected.appSKey);
  });
  test.each(of("session-keys-1.1"))("keys of 1.1 %s", (_, { inputs, expected }) => {
    if (expected.jsIntKey !== undefined || expected.jsEncKey !== undefined) {
      if (expected.jsIntKey)
        expect(toHex(jsIntKey(hex(inputs.nwkKey), inputs.devEUI as string))).toBe(expected.jsIntKey);
      if (expected.jsEncKey)
        expect(toHex(jsEncKey(hex(inputs.nwkKey), inputs.devEUI as string))).toBe(expected.jsEncKey);
      return;
    }
    const roots = { nwkKey: hex(inputs.nwkKey ?? inputs.appKey), appKey: hex(inputs.appKey ?? inputs.nwkKey) };
    const keys = sessionKeys11(roots, {
      joinNonce: number(inputs.joinNonce as string),
      joinEui: inputs.joinEUI as string,
      devNonce: number(inputs.devNonce),
    });
    const ours: Record<string, string> = Object.fromEntries(
      Object.entries(keys).map(([name, key]) => [name, toHex(key)]),
    );
    for (const [name, key] of Object.entries(expected)) expect(ours[name], name).toBe(key);
  });
  test.each(of("crypto-primitive", "frm-encrypt"))("%s", (name, { inputs, expected }) => {
    const place = { devAddr: inputs.devAddr as string, fCnt: inputs.fCnt32, direction: inputs.dir };
    const [key, plain] = [hex(inputs.key), hex(inputs.plaintext)];
    expect(toHex(name.includes("FOpts") ? cryptFOpts(key, place, 1, plain) : cryptFrmPayload(key, place, plain))).toBe(
      expected.ciphertext,
    );
  });
  test.each([...of("uplink-1.0"), ...of("downlink-1.0")])("frame of 1.0 %s", (_, { kind, inputs, expected }) => {
    const isUp = kind === "uplink-1.0";
    const decoded = decodeDataFrame(hex(inputs.phyPayload), isUp ? "up" : "down");
    if ("refused" in decoded) throw new Error(decoded.refused);
    const { frame, message, mic } = decoded;
    const place = { devAddr: frame.devAddr, fCnt: inputs.fCnt32, direction: isUp ? up : down };
    expect(toHex(mic10(hex(inputs.nwkSKey), place, message))).toBe(expected.mic);
    expect(toHex(mic) === expected.mic).toBe((expected as { micValid?: boolean }).micValid ?? true);
    if (expected.devAddr !== undefined) expect(frame.devAddr).toBe(expected.devAddr);
    if (expected.fOpts !== undefined) expect(toHex(frame.fOpts)).toBe(expected.fOpts);
    const key = frame.fPort === 0 ? inputs.nwkSKey : inputs.appSKey;
    if (expected.frmPayload !== undefined && key !== undefined)
      expect(toHex(cryptFrmPayload(hex(key), place, frame.frmPayload))).toBe(expected.frmPayload);
  });
  test.each([...of("uplink-1.1", "mic"), ...of("downlink-1.1", "mic")])(
    "MIC of 1.1 %s",
    (_, { kind, inputs, expected }) => {
      const keys = {
        sNwkSIntKey: hex(inputs.sNwkSIntKey),
        fNwkSIntKey: hex(inputs.fNwkSIntKey),
        nwkSEncKey: hex(""),
        appSKey: hex(""),
      };
      const message = hex(inputs.msg);
      const place = {
        devAddr: inputs.devAddr as string,
        fCnt: inputs.fCnt32,
        direction: kind === "uplink-1.1" ? up : down,
      };
      const mic =
        kind === "uplink-1.1"
          ? micUp11(keys, place, message, inputs)
          : micDown11(keys.sNwkSIntKey, place, message, inputs.confFCnt);
      expect(toHex(mic)).toBe(expected.mic);
    },
  );
  test.each([...of("uplink-1.1"), ...of("downlink-1.1")].filter(([, { inputs }]) => inputs.phyPayload !== undefined))(
    "frame of 1.1 %s",
    (_, { kind, inputs, expected }) => {
      const isUp = kind === "uplink-1.1";
      const decoded = decodeDataFrame(hex(inputs.phyPayload), isUp ? "up" : "down");
      if ("refused" in decoded) throw new Error(decoded.refused);
      const { frame, message } = decoded;
      const place = { devAddr: frame.devAddr, fCnt: inputs.fCnt32, direction: isUp ? up : down };
      const keys = {
        sNwkSIntKey: hex(inputs.sNwkSIntKey),
        fNwkSIntKey: hex(inputs.fNwkSIntKey),
        nwkSEncKey: hex(inputs.nwkSEncKey),
        appSKey: hex(inputs.appSKey),
      };
      const confFCnt = frame.ack ? inputs.confFCnt : 0;
      const mic = isUp
        ? micUp11(keys, place, message, { ...inputs, confFCnt })
        : micDown11(keys.sNwkSIntKey, place, message, confFCnt);
      expect(toHex(mic)).toBe(expected.mic);
      const counter = !isUp && (frame.fPort ?? 0) > 0 ? 2 : 1;
      if (expected.fOpts !== undefined)
        expect(toHex(cryptFOpts(keys.nwkSEncKey, place, counter, frame.fOpts))).toBe(expected.fOpts);
      const key = frame.fPort === 0 ? keys.nwkSEncKey : keys.appSKey;
      if (expected.frmPayload !== undefined && inputs.appSKey !== undefined)
        expect(toHex(cryptFrmPayload(key, place, frame.frmPayload))).toBe(expected.frmPayload);
    },
  );
  test.each(
    of("join-request")
      .filter(([, { inputs }]) => inputs.phyPayload !== undefined && inputs.key !== undefined)
      .filter(([, { expected }]) => expected.devEUI !== undefined),
  )("join-request %s", (_, { inputs, expected }) => {
    const identity: Identity = {
      devEui: expected.devEUI as string,
      joinEui: expected.joinEUI as string,
      version: "1.0.4",
      keys: { appKey: hex(inputs.key) },
    };
    expect(toHex(joinRequest(identity, expected.devNonce))).toBe(inputs.phyPayload);
    expect((inputs.phyPayload as string).slice(-8)).toBe(expected.mic);
  });
  test.each(
    of("join-accept-1.0").filter(([, { inputs }]) => inputs.phyPayload !== undefined && inputs.appKey !== undefined),
  )("join-accept of 1.0 %s", (_, { inputs, expected }) => {
    const identity: Identity = {
      devEui: "00".repeat(8),
      joinEui: "00".repeat(8),
      version: "1.0.3",
      keys: { appKey: hex(inputs.appKey) },
    };
    const opened = openJoinAccept(identity, hex(inputs.phyPayload), { by: "join", nonce: 1, lastJoinNonce: -1 });
    if ("refused" in opened) throw new Error(opened.refused);
    expect(opened.accept).toMatchObject({
      joinNonce: expected.joinNonce,
      netId: expected.netID,
      devAddr: expected.devAddr,
    });
  });
  test("the lists above are not empty", () => {
    for (const kind of [
      "cmac",
      "session-keys-1.0",
      "session-keys-1.1",
      "uplink-1.0",
      "downlink-1.0",
      "join-request",
      "join-accept-1.0",
    ])
      expect(of(kind).length, kind).toBeGreaterThan(0);
    expect(of("uplink-1.1").length + of("uplink-1.1", "mic").length).toBe(6);
  });
});

describe("against lora-packet, on random input", () => {
  const random = seededRandom("codec");
  const octets = (count: number) => Uint8Array.from({ length: count }, () => random.int(256));
  const session = (protocol: "1.0" | "1.1"): Session => {
    const one = octets(16);
    const keys =
      protocol === "1.0"
        ? { fNwkSIntKey: one, sNwkSIntKey: one, nwkSEncKey: one, appSKey: octets(16) }
        : { fNwkSIntKey: octets(16), sNwkSIntKey: octets(16), nwkSEncKey: octets(16), appSKey: octets(16) };
    return { protocol, devAddr: toHex(octets(4)), keys, fCntUp: 0, nFCntDown: -1, aFCntDown: -1, rjCount0: 0 };
  };
  const upper = (fCnt: number) => Buffer.of((fCnt >>> 16) & 255, fCnt >>> 24);

  test.each(["1.0", "1.1"] as const)("%s uplinks verify and decrypt, with counters of 32 bits", (protocol) => {
    for (let i = 0; i < 50; i++) {
      const one = session(protocol);
      const { keys } = one;
      const fCnt = random.int(2 ** 32);
      const payload = octets(random.int(40));
      const acknowledges = random.next() < 0.5 ? random.int(65536) : undefined;
      const radio = { txDr: random.int(6), txCh: random.int(8) };
      const fOpts = octets(random.int(16));
      const uplink = {
        fCnt,
        confirmed: random.next() < 0.5,
        fPort: 1 + random.int(200),
        payload,
        fOpts,
        adr: true,
        adrAckReq: false,
        ...(acknowledges === undefined ? {} : { acknowledges }),
      };
      const packet = lora.fromWire(Buffer.from(encodeUplink(one, uplink, radio)));
      const b1 = Buffer.of((acknowledges ?? 0) >> 8, (acknowledges ?? 0) & 255, radio.txDr, radio.txCh);
      const good =
        protocol === "1.0"
          ? lora.verifyMIC(packet, Buffer.from(keys.fNwkSIntKey), undefined, upper(fCnt))
          : lora.verifyMIC(packet, Buffer.from(keys.fNwkSIntKey), Buffer.from(keys.sNwkSIntKey), upper(fCnt), b1);
      expect(good).toBe(true);
      expect(toHex(lora.decrypt(packet, Buffer.from(keys.appSKey), undefined, upper(fCnt)))).toBe(toHex(payload));
      const clear =
        protocol === "1.0"
          ? (packet.FOpts as Buffer)
          : packet.decryptFOpts(Buffer.from(keys.nwkSEncKey), undefined, upper(fCnt));
      expect(toHex(clear)).toBe(toHex(fOpts));
    }
  });

  test("a 1.1 join-accept opens, and its keys agree", () => {
    const [nwkKey, appKey] = [octets(16), octets(16)];
    const identity: Identity = {
      devEui: toHex(octets(8)),
      joinEui: toHex(octets(8)),
      version: "1.1",
      keys: { nwkKey, appKey },
    };
    const [nonce, netId, devNonce, joinEui] = [
      Buffer.from("0a0b0c", "hex"),
      Buffer.from("600013", "hex"),
      Buffer.from("1234", "hex"),
      Buffer.from(identity.joinEui, "hex"),
    ];
    const packet = lora.fromFields(
      {
        MType: "Join Accept",
        AppNonce: nonce,
        NetID: netId,
        DevAddr: Buffer.from("e1fe0001", "hex"),
        DLSettings: Buffer.of(0x83),
        RxDelay: Buffer.of(5),
        CFList: Buffer.alloc(0),
        DevNonce: devNonce,
        AppEUI: joinEui,
      },
      undefined,
      lora.generateJSKeys(Buffer.from(nwkKey), Buffer.from(identity.devEui, "hex")).JSIntKey,
      Buffer.from(nwkKey),
    );
    const opened = openJoinAccept(identity, packet.PHYPayload as Buffer, {
      by: "join",
      nonce: 0x1234,
      lastJoinNonce: 5,
    });
    if ("refused" in opened) throw new Error(opened.refused);
    expect(opened.accept).toMatchObject({
      joinNonce: 0x0a0b0c,
      devAddr: "e1fe0001",
      optNeg: true,
      rx2Dr: 3,
      rxDelay: 5,
    });
    const theirs = lora.generateSessionKeys11(Buffer.from(appKey), Buffer.from(nwkKey), joinEui, nonce, devNonce);
    expect(toHex(opened.session.keys.sNwkSIntKey)).toBe(toHex(theirs.SNwkSIntKey));
    expect(toHex(opened.session.keys.fNwkSIntKey)).toBe(toHex(theirs.FNwkSIntKey));
    expect(toHex(opened.session.keys.nwkSEncKey)).toBe(toHex(theirs.NwkSEncKey));
    expect(toHex(opened.session.keys.appSKey)).toBe(toHex(theirs.AppSKey));
    // The same accept is no answer to another DevNonce, nor again, nor with a bit turned over.
    expect(
      openJoinAccept(identity, packet.PHYPayload as Buffer, { by: "join", nonce: 0x1235, lastJoinNonce: 5 }),
    ).toEqual({
      refused: "wrong-mic",
    });
    expect(
      openJoinAccept(identity, packet.PHYPayload as Buffer, { by: "join", nonce: 0x1234, lastJoinNonce: 0x0a0b0c }),
    ).toEqual({ refused: "join-nonce-not-rising" });
  });

  test("a 1.0 join-accept with a wrong MIC is refused, whatever its content", () => {
    const identity: Identity = {
      devEui: "00".repeat(8),
      joinEui: "00".repeat(8),
      version: "1.0.3",
      keys: { appKey: octets(16) },
    };
    const plain = concat(octets(12), octets(4));
    const forged = concat(Uint8Array.of(0x20), decryptBlocks(octets(16), plain));
    expect(openJoinAccept(identity, forged, { by: "join", nonce: 1, lastJoinNonce: -1 })).toEqual({
      refused: "wrong-mic",
    });
    expect(openJoinAccept(identity, forged.subarray(0, 16), { by: "join", nonce: 1, lastJoinNonce: -1 })).toEqual({
      refused: "malformed",
    });
  });

  test("no octets make the reader of downlinks throw", () => {
    const one = session("1.1");
    for (let i = 0; i < 2000; i++) {
      const frame = octets(random.int(60));
      expect(receiveDownlink(one, frame, { lastConfirmedUp: undefined, maxFCntGap: 16384 })).toHaveProperty("refused");
      frame[0] = 0x60;
      expect(receiveDownlink(one, frame, { lastConfirmedUp: undefined, maxFCntGap: 16384 })).toHaveProperty("refused");
    }
  });
});
