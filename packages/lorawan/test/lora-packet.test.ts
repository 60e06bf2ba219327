/** lora-packet as a second opinion: another author's reading of the same specification, in the same process. */
import fc from "fast-check";
import loraPacketModule from "lora-packet";
import { describe, expect, test } from "vitest";
import * as lorawan from "../src/index.ts";
import {
  cryptFrmPayload,
  type DataDown,
  type DataUp,
  devAddrToNumber,
  encodePhyPayload,
  isDataDown,
  KeySchedule,
  toHex,
} from "../src/index.ts";
import { aFrame, someJoinAcceptFields } from "./arbitraries.ts";

// Its types say that the module has a `default`; at run time the module is that default.
const loraPacket = loraPacketModule as unknown as typeof loraPacketModule.default;

const aKey = fc.uint8Array({ minLength: 16, maxLength: 16 });
const aDataFrame = aFrame.filter((frame): frame is DataUp | DataDown => frame.type.includes("Data"));
const counterTop = fc.nat(0xffff);
const buffer = (octets: Uint8Array): Buffer => Buffer.from(octets);
const hex = (octets: Uint8Array | null | undefined): string => (octets ? toHex(octets) : "");
const u16 = (value: number): Buffer => Buffer.from([value & 255, value >> 8]);

describe("lora-packet agrees", () => {
  test("on every field of data frames, on their MIC and clear text in 1.0.x, for counters of 32 bits", () => {
    fc.assert(
      fc.property(aDataFrame, aKey, aKey, counterTop, (frame, nwk, app, high) => {
        const direction = isDataDown(frame) ? "down" : "up";
        const fCnt = high * 0x10000 + frame.fCnt;
        const key = new KeySchedule(frame.fPort === 0 ? nwk : app);
        const frmPayload = cryptFrmPayload(key, direction, devAddrToNumber(frame.devAddr), fCnt, frame.frmPayload);
        const octets = encodePhyPayload({ ...frame, frmPayload });
        lorawan.writeMic(octets, lorawan.mic10(new KeySchedule(nwk), direction, fCnt, octets, octets.length - 4));

        const packet = loraPacket.fromWire(buffer(octets));
        expect(packet.getDir()).toBe(direction);
        expect(packet.isConfirmed()).toBe(lorawan.isConfirmed(frame));
        expect(hex(packet.DevAddr)).toBe(frame.devAddr);
        expect(packet.getFCnt()).toBe(frame.fCnt);
        expect(packet.getFCtrlADR()).toBe(frame.adr);
        expect(packet.getFCtrlACK()).toBe(frame.ack);
        expect(hex(packet.FOpts)).toBe(toHex(frame.fOpts));
        if (frame.fPort !== undefined) expect(packet.getFPort()).toBe(frame.fPort);
        expect(loraPacket.verifyMIC(packet, buffer(nwk), undefined, u16(high))).toBe(true);
        expect(loraPacket.verifyMIC(packet, buffer(nwk), undefined, u16(high ^ 1))).toBe(false);
        if (frame.frmPayload.length > 0)
          expect(hex(loraPacket.decrypt(packet, buffer(app), buffer(nwk), u16(high)))).toBe(toHex(frame.frmPayload));
      }),
      { numRuns: 200 },
    );
  });

  test("on MICs of 1.1, where the ACK rule is the same for both", () => {
    fc.assert(
      fc.property(
        aDataFrame,
        aKey,
        aKey,
        counterTop,
        counterTop,
        fc.nat(15),
        fc.nat(255),
        (given, s, f, high, confFCnt, txDr, txCh) => {
          // It writes ConfFCnt into every downlink, and into uplinks on FPort 0, with or without ACK: with ACK we are to agree.
          const frame = { ...given, ack: true };
          const octets = encodePhyPayload(frame);
          const fCnt = high * 0x10000 + frame.fCnt;
          const [sKey, fKey] = [new KeySchedule(s), new KeySchedule(f)];
          const end = octets.length - 4;
          const mic = isDataDown(frame)
            ? lorawan.mic11Down(sKey, fCnt, confFCnt, octets, end)
            : lorawan.mic11Up(sKey, fKey, fCnt, { confFCnt, txDr, txCh }, octets, end);
          // Its argument order: FNwkSIntKey, SNwkSIntKey. It wants ConfFCnt low octet first for downlinks, last for uplinks.
          const context = isDataDown(frame) ? u16(confFCnt) : Buffer.from([confFCnt >> 8, confFCnt & 255, txDr, txCh]);
          const theirs = loraPacket.calculateMIC(
            loraPacket.fromWire(buffer(octets)),
            buffer(f),
            buffer(s),
            u16(high),
            context,
          );
          expect(hex(theirs)).toBe(toHex(lorawan.micOctets(mic)));
        },
      ),
      { numRuns: 100 },
    );
  });

  test("on session keys of both versions, on JSIntKey and JSEncKey, on the relay's keys", () => {
    const anEui = fc.uint8Array({ minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(
        aKey,
        aKey,
        anEui,
        someJoinAcceptFields,
        fc.nat(0xffff),
        (appKey, nwkKey, eui, { joinNonce, netId, devAddr }, devNonce) => {
          const nonce = buffer(Uint8Array.of(joinNonce >> 16, joinNonce >> 8, joinNonce));
          const dev = buffer(Uint8Array.of(devNonce >> 8, devNonce));
          const joinEui = lorawan.parseJoinEui(toHex(eui)) ?? expect.fail();
          const devEui = lorawan.parseDevEui(toHex(eui)) ?? expect.fail();
          const ten = loraPacket.generateSessionKeys10(buffer(appKey), Buffer.from(netId, "hex"), nonce, dev);
          const ours10 = lorawan.deriveSessionKeys10(appKey, joinNonce, netId, devNonce);
          expect([hex(ours10.nwkSKey), hex(ours10.appSKey)]).toEqual([hex(ten.NwkSKey), hex(ten.AppSKey)]);
          const eleven = loraPacket.generateSessionKeys11(buffer(appKey), buffer(nwkKey), buffer(eui), nonce, dev);
          const ours11 = lorawan.deriveSessionKeys11(nwkKey, appKey, joinNonce, joinEui, devNonce);
          expect([ours11.fNwkSIntKey, ours11.sNwkSIntKey, ours11.nwkSEncKey, ours11.appSKey].map(hex)).toEqual(
            [eleven.FNwkSIntKey, eleven.SNwkSIntKey, eleven.NwkSEncKey, eleven.AppSKey].map(hex),
          );
          const js = loraPacket.generateJSKeys(buffer(nwkKey), buffer(eui));
          expect([hex(lorawan.deriveJsIntKey(nwkKey, devEui)), hex(lorawan.deriveJsEncKey(nwkKey, devEui))]).toEqual([
            hex(js.JSIntKey),
            hex(js.JSEncKey),
          ]);
          const root = lorawan.deriveRootWorSKey(nwkKey);
          expect(hex(root)).toBe(hex(loraPacket.generateWORKey(buffer(nwkKey)).RootWorSKey));
          const wor = loraPacket.generateWORSessionKeys(buffer(root), Buffer.from(devAddr, "hex"));
          const oursWor = lorawan.deriveWorSessionKeys(root, devAddr);
          expect([hex(oursWor.worSIntKey), hex(oursWor.worSEncKey)]).toEqual([
            hex(wor.WorSIntKey),
            hex(wor.WorSEncKey),
          ]);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("on the fields of a join-accept that it decrypts", () => {
    fc.assert(
      fc.property(aKey, someJoinAcceptFields, (appKey, fields) => {
        const clear = lorawan.encodeJoinAcceptFields(fields);
        const phyPayload = lorawan.encryptJoinAccept(appKey, clear, lorawan.joinAcceptMic10(appKey, clear));
        const opened = loraPacket.fromWire(
          loraPacket.decryptJoinAccept(loraPacket.fromWire(buffer(phyPayload)), buffer(appKey)),
        );
        expect(hex(opened.DevAddr)).toBe(fields.devAddr);
        expect(hex(opened.NetID)).toBe(fields.netId);
        expect(Number.parseInt(hex(opened.AppNonce ?? opened.JoinNonce), 16)).toBe(fields.joinNonce);
        expect(opened.getRxDelayDel()).toBe(fields.rxDelay);
      }),
      { numRuns: 50 },
    );
  });
});
