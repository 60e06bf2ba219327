/**
 * The codec beside lora-packet in the same run: what each packet costs a server.
 * Both must agree on every frame before anything is timed.
 */
import { createHash } from "node:crypto";
import {
  cryptFrmPayload,
  decodePhyPayload,
  encodeJoinAcceptFields,
  encryptJoinAccept,
  joinAcceptMic10,
  KeySchedule,
  parseDevAddr,
  parseNetId,
  verifyMic10,
} from "@trefoil/lorawan";
import loraPacketModule from "lora-packet";
import { measure, type Options } from "./measure.ts";

/** Its types describe a default export that its CommonJS module does not have. */
const loraPacket = loraPacketModule as unknown as typeof loraPacketModule.default;

export type CodecReport = {
  /** MIC check and decryption of a 17-octet FRMPayload, key schedules at hand. */
  readonly micAndDecryptNs: number;
  readonly loraPacketNs: number;
  readonly ratio: number;
  /** The same with both keys expanded for this packet: a session that is not in the cache. */
  readonly micAndDecryptColdNs: number;
  readonly decodeNs: number;
  readonly loraPacketDecodeNs: number;
  readonly decodeRatio: number;
  /** A 1.0.x join-accept without CFList, from its fields to its octets. */
  readonly joinAcceptNs: number;
  readonly loraPacketJoinAcceptNs: number;
  readonly joinAcceptRatio: number;
};

const sessions = 1024;
const octets = (label: string, length: number): Buffer =>
  createHash("sha512").update(label).digest().subarray(0, length);

/** A device's last frame, for us and for lora-packet. */
function makeSession(i: number) {
  const [nwkSKey, appSKey] = [octets(`NwkSKey ${i}`, 16), octets(`AppSKey ${i}`, 16)];
  const clear = octets(`payload ${i}`, 17);
  const devAddr = Buffer.alloc(4);
  devAddr.writeUInt32BE(0x2601_0000 + i);
  const packet = loraPacket.fromFields(
    { MType: "Unconfirmed Data Up", DevAddr: devAddr, FCnt: i, FPort: 1, payload: clear },
    appSKey,
    nwkSKey,
  );
  const wire = packet.getPHYPayload() as Buffer;
  const frame = decodePhyPayload(Uint8Array.from(wire));
  if (!("frmPayload" in frame)) throw new Error("our decoder refused lora-packet's frame");
  return {
    ...{ nwkSKey, appSKey, clear, packet, wire, fCnt: i, devAddrNumber: devAddr.readUInt32BE() },
    phyPayload: Uint8Array.from(wire),
    frmPayload: frame.frmPayload,
    nwkSchedule: new KeySchedule(nwkSKey),
    appSchedule: new KeySchedule(appSKey),
  };
}

const appKey = octets("AppKey", 16);
const known = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error("a constant of the benchmark is wrong");
  return value;
};
const joinAccept = {
  joinNonce: 0x010203,
  netId: known(parseNetId("000013")),
  devAddr: known(parseDevAddr("26011234")),
  dlSettings: { optNeg: false, rx1DrOffset: 0, rx2DataRate: 0 },
  rxDelay: 1,
};

function makeJoinAccept(): Uint8Array {
  const fields = encodeJoinAcceptFields(joinAccept);
  return encryptJoinAccept(appKey, fields, joinAcceptMic10(appKey, fields));
}
const foreignFields = {
  MType: "Join Accept",
  AppNonce: Buffer.from("010203", "hex"),
  NetID: Buffer.from("000013", "hex"),
  DevAddr: Buffer.from("26011234", "hex"),
  DLSettings: 0,
  RxDelay: 1,
};
const makeForeignJoinAccept = () => loraPacket.fromFields(foreignFields, undefined, undefined, appKey).getPHYPayload();

export function benchCodec(options: Options = {}): CodecReport {
  const all = Array.from({ length: sessions }, (_, i) => makeSession(i));
  let turn = 0;
  const next = () => all[turn++ % sessions] as (typeof all)[number];

  type Session = (typeof all)[number];
  const open = ({ phyPayload, fCnt, devAddrNumber, frmPayload }: Session, nwk: KeySchedule, app: KeySchedule) => {
    if (!verifyMic10(nwk, "up", fCnt, phyPayload)) throw new Error("wrong MIC");
    return cryptFrmPayload(app, "up", devAddrNumber, fCnt, frmPayload);
  };
  const openForeign = ({ packet, nwkSKey, appSKey }: Session) => {
    if (!loraPacket.verifyMIC(packet, nwkSKey)) throw new Error("wrong MIC");
    return loraPacket.decrypt(packet, appSKey, nwkSKey);
  };

  for (const session of all) {
    if (
      !openForeign(session).equals(session.clear) ||
      !Buffer.from(open(session, session.nwkSchedule, session.appSchedule)).equals(session.clear)
    )
      throw new Error("the two disagree: nothing is measured");
  }
  if (!Buffer.from(makeJoinAccept()).equals(makeForeignJoinAccept() as Buffer))
    throw new Error("the two make different join-accepts");

  const ns = measure(
    {
      micAndDecryptNs: () => {
        const session = next();
        return open(session, session.nwkSchedule, session.appSchedule);
      },
      loraPacketNs: () => openForeign(next()),
      micAndDecryptColdNs: () => {
        const session = next();
        return open(session, new KeySchedule(session.nwkSKey), new KeySchedule(session.appSKey));
      },
      decodeNs: () => decodePhyPayload(next().phyPayload),
      loraPacketDecodeNs: () => loraPacket.fromWire(next().wire),
      joinAcceptNs: makeJoinAccept,
      loraPacketJoinAcceptNs: makeForeignJoinAccept,
    },
    options,
  );
  const ratio = (ours: number, theirs: number) => Math.round((theirs / ours) * 10) / 10;
  return {
    ...(Object.fromEntries(Object.entries(ns).map(([name, value]) => [name, Math.round(value)])) as typeof ns),
    ratio: ratio(ns.micAndDecryptNs, ns.loraPacketNs),
    decodeRatio: ratio(ns.decodeNs, ns.loraPacketDecodeNs),
    joinAcceptRatio: ratio(ns.joinAcceptNs, ns.loraPacketJoinAcceptNs),
  };
}

export function showCodec(report: CodecReport): string {
  const row = (what: string, ours: number, theirs: number, ratio: number) =>
    `${what.padEnd(44)} ${String(ours).padStart(7)} ns   lora-packet ${String(theirs).padStart(7)} ns   ${ratio} times`;
  return [
    row("MIC check and decryption of 17 octets", report.micAndDecryptNs, report.loraPacketNs, report.ratio),
    `${"  with keys expanded for this packet".padEnd(44)} ${String(report.micAndDecryptColdNs).padStart(7)} ns`,
    row("decoding of the frame", report.decodeNs, report.loraPacketDecodeNs, report.decodeRatio),
    row(
      "join-accept, from fields to octets",
      report.joinAcceptNs,
      report.loraPacketJoinAcceptNs,
      report.joinAcceptRatio,
    ),
  ].join("\n");
}
