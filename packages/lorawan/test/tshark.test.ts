/**
 * tshark as a judge from outside: it dissects our frames, checks their MICs and decrypts them. It knows 1.0 data
 * frames with a FRMPayload (16-bit counters) and join-requests; it gives no verdict on 1.1, join-accepts and empty
 * payloads, and shows no clear text of FPort 0.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  cmac4,
  cryptFrmPayload,
  type DataDown,
  type DataUp,
  devAddrToNumber,
  encodePhyPayload,
  isDataDown,
  type JoinRequest,
  KeySchedule,
  mic10,
  parseDevAddr,
  toHex,
  writeMic,
} from "../src/index.ts";
import { aFrame } from "./arbitraries.ts";

const present = spawnSync("tshark", ["--version"]).status === 0;
if (!present) {
  if (process.env.CI === "true") throw new Error("tshark is missing: run scripts/test-services");
  process.stderr.write(
    "\nSKIPPED: tshark is not installed, so nobody from outside judges our frames (scripts/test-services installs it)\n",
  );
}

const nwkSKey = Uint8Array.from({ length: 16 }, (_, i) => i * 11 + 1);
const appSKey = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 3);
const devAddr = parseDevAddr("26011f3c") ?? expect.fail();
const joinEui = "70b3d57ed0000001" as JoinRequest["joinEui"];
const reversed = (text: string): string => (text.match(/../g) ?? []).reverse().join("");

type Sent = { readonly octets: Uint8Array; readonly clear: string; readonly good: boolean };

/** LinkCheckReq or DevStatusReq, over and over: tshark gives no verdict on frames with commands that it cannot name. */
function nameable<F extends DataUp | DataDown>(frame: F): F {
  const cid = isDataDown(frame) ? 0x06 : 0x02;
  const frmPayload = frame.fPort === 0 ? frame.frmPayload.map(() => cid) : frame.frmPayload;
  return { ...frame, fOpts: frame.fOpts.map(() => cid), frmPayload };
}

/** A data frame of ours: encrypted and signed. Every tenth gets a wrong MIC, to see that the judge can say no. */
function sign(frame: DataUp | DataDown, index: number): Sent {
  const direction = isDataDown(frame) ? "down" : "up";
  const key = new KeySchedule(frame.fPort === 0 ? nwkSKey : appSKey);
  const frmPayload = cryptFrmPayload(key, direction, devAddrToNumber(devAddr), frame.fCnt, frame.frmPayload);
  const octets = encodePhyPayload({ ...frame, devAddr, frmPayload });
  const good = index % 10 !== 9;
  writeMic(
    octets,
    mic10(new KeySchedule(nwkSKey), direction, good ? frame.fCnt : frame.fCnt + 0x10000, octets, octets.length - 4),
  );
  return { octets, clear: toHex(frame.frmPayload), good };
}

function signJoin(frame: JoinRequest, index: number): Sent {
  const octets = encodePhyPayload({ ...frame, joinEui });
  const good = index % 10 !== 9;
  octets.set(cmac4(good ? appSKey : nwkSKey, octets.subarray(0, 19)), 19);
  return { octets, clear: "", good };
}

/** A capture of link type 270: each packet behind a LoRaTap v0 header (868.1 MHz, 125 kHz, SF7, sync word 34). */
function capture(frames: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, 0xa1b2c3d4, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, 65535, true);
  header.setUint32(20, 270, true);
  parts.push(new Uint8Array(header.buffer));
  for (const [index, frame] of frames.entries()) {
    const packet = new DataView(new ArrayBuffer(16 + 15));
    packet.setUint32(0, index, true);
    packet.setUint32(8, 15 + frame.length, true);
    packet.setUint32(12, 15 + frame.length, true);
    packet.setUint16(16 + 2, 15);
    packet.setUint32(16 + 4, 868_100_000);
    packet.setUint8(16 + 8, 1);
    packet.setUint8(16 + 9, 7);
    packet.setUint8(16 + 14, 0x34);
    parts.push(new Uint8Array(packet.buffer), frame);
  }
  return Buffer.concat(parts);
}

describe.skipIf(!present)("tshark judges frames of ours", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "trefoil-tshark-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function judge(
    frames: readonly Sent[],
  ): { readonly mtype: number; readonly good: boolean; readonly clear: string }[] {
    const path = join(folder, `${frames.length}.pcap`);
    writeFileSync(path, capture(frames.map(({ octets }) => octets)));
    const keys = [reversed(devAddr), toHex(nwkSKey), toHex(appSKey), reversed(joinEui)]
      .map((text) => `"${text}"`)
      .join(",");
    const fields = ["lorawan.mhdr.mtype", "lorawan.mic.status", "lorawan.frmpayload_decrypted"].flatMap((field) => [
      "-e",
      field,
    ]);
    const ran = spawnSync(
      "tshark",
      ["-r", path, "-o", `uat:encryption_keys_lorawan:${keys}`, "-T", "fields", "-E", "separator=,", ...fields],
      {
        encoding: "utf8",
        env: { ...process.env, HOME: folder },
      },
    );
    expect(ran.status, ran.stderr).toBe(0);
    return ran.stdout
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [mtype = "", status = "", clear = ""] = line.split(",");
        return { mtype: Number(mtype), good: status === "1", clear };
      });
  }

  test("MIC and FRMPayload of 1.0.x data frames, both ways, with FOpts and on FPort 0 (TS001-1.0.4 §4.3.3, §4.4)", () => {
    const frames = fc
      .sample(aFrame, { numRuns: 4000, seed: 1 })
      .filter((frame): frame is DataUp | DataDown => frame.type.includes("Data"))
      .filter(({ frmPayload }) => frmPayload.length > 0)
      .slice(0, 500)
      .map((frame) => ({ frame, sent: sign(nameable(frame), frame.fCnt) }));
    expect(frames).toHaveLength(500);
    const verdicts = judge(frames.map(({ sent }) => sent));
    expect(verdicts).toHaveLength(500);
    for (const [index, { frame, sent }] of frames.entries()) {
      const verdict = verdicts[index];
      expect(verdict?.mtype, `${index}`).toBe((sent.octets[0] ?? 0) >> 5);
      expect(verdict?.good, `${index} ${toHex(sent.octets)}`).toBe(sent.good);
      if (frame.fPort !== 0) expect(verdict?.clear, `${index} ${frame.type} ${frame.fPort}`).toBe(sent.clear);
    }
    expect(frames.filter(({ sent }) => !sent.good).length).toBeGreaterThan(10);
  });

  test("MIC of join-requests (TS001-1.0.4 §6.2.5)", () => {
    const frames = fc
      .sample(aFrame, { numRuns: 2000, seed: 2 })
      .filter((frame): frame is JoinRequest => frame.type === "JoinRequest")
      .map(signJoin);
    const verdicts = judge(frames);
    expect(verdicts.map(({ good }) => good)).toEqual(frames.map(({ good }) => good));
    expect(frames.length).toBeGreaterThan(50);
  });
});
