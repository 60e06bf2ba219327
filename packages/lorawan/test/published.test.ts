/** Every published vector, by kind. A kind or an input that nothing here understands fails. */
import { describe, expect, test } from "vitest";
import * as lorawan from "../src/index.ts";
import {
  cmac4,
  cryptFOpts,
  cryptFrmPayload,
  type DataDown,
  type DataUp,
  decodeDownlinkCommands,
  decodePhyPayload,
  decodeUplinkCommands,
  encodeDownlinkCommand,
  encodePhyPayload,
  encodeUplinkCommand,
  type Frame,
  fromHex,
  isRefused,
  KeySchedule,
  mic10,
  mic11Down,
  mic11Up,
  micOctets,
  readDevAddrNumber,
  toHex,
  verifyMic10,
  verifyMic11Down,
  verifyMic11Up,
} from "../src/index.ts";
import { number, octets, ofKind, type Vector, vectors } from "./vectors.ts";

const hex = (value: Uint8Array | undefined): string => (value ? toHex(value) : "(nothing)");
const key = (text: unknown): KeySchedule => new KeySchedule(octets(text));
const id = <T>(parse: (text: string) => T | undefined, text: unknown): T => {
  const value = parse(String(text));
  if (value === undefined) throw new Error(`not an identifier: ${String(text)}`);
  return value;
};
const fromText = (text: unknown): number => Number.parseInt(String(text), 16);

function frameOf(text: unknown): Frame {
  const phyPayload = octets(text);
  const frame = decodePhyPayload(phyPayload);
  if (isRefused(frame)) throw new Error(frame.reason);
  expect(hex(encodePhyPayload(frame))).toBe(text);
  return frame;
}

const exercised = new Map<string, (vector: Vector) => void>();
/** Checks every expected field with a function of its name; one without a function fails. */
function expectAll(vector: Vector, actual: Readonly<Record<string, unknown>>): void {
  for (const [name, wanted] of Object.entries(vector.expected)) {
    expect(Object.keys(actual), `${vector.id}: nothing computes ${name}`).toContain(name);
    expect(actual[name], `${vector.id} ${name}`).toEqual(wanted);
  }
}
function kind(name: string, check: (vector: Vector) => void): void {
  exercised.set(name, check);
}

function dataFields(frame: DataUp | DataDown): Record<string, unknown> {
  return {
    mType: frame.type,
    devAddr: frame.devAddr,
    adr: frame.adr,
    ack: frame.ack,
    fCnt: frame.fCnt,
    fPort: frame.fPort,
  };
}
function dataVector(vector: Vector): void {
  const { inputs } = vector;
  const up = vector.kind.startsWith("uplink");
  const is11 = vector.kind.endsWith("1.1");
  const fCnt = number(inputs.fCnt32);
  const computeMic = (message: Uint8Array): number => {
    if (!is11) return mic10(key(inputs.nwkSKey), up ? "up" : "down", fCnt, message);
    if (!up) return mic11Down(key(inputs.sNwkSIntKey), fCnt, number(inputs.confFCnt), message);
    const context = { confFCnt: number(inputs.confFCnt), txDr: number(inputs.txDr), txCh: number(inputs.txCh) };
    return mic11Up(key(inputs.sNwkSIntKey), key(inputs.fNwkSIntKey), fCnt, context, message);
  };
  if (vector.op === "mic") {
    expectAll(vector, { mic: hex(micOctets(computeMic(octets(inputs.msg)))) });
    return;
  }

  const phyPayload = octets(inputs.phyPayload);
  const frame = frameOf(inputs.phyPayload) as DataUp | DataDown;
  const verified = !is11
    ? verifyMic10(key(inputs.nwkSKey), up ? "up" : "down", fCnt, phyPayload)
    : up
      ? verifyMic11Up(
          key(inputs.sNwkSIntKey),
          key(inputs.fNwkSIntKey),
          fCnt,
          { confFCnt: number(inputs.confFCnt), txDr: number(inputs.txDr), txCh: number(inputs.txCh) },
          phyPayload,
        )
      : verifyMic11Down(key(inputs.sNwkSIntKey), fCnt, number(inputs.confFCnt), phyPayload);
  expect(verified, vector.id).toBe(vector.expected.micValid ?? true);

  const devAddr = readDevAddrNumber(phyPayload, 1);
  const payloadKey = frame.fPort === 0 ? (is11 ? inputs.nwkSEncKey : inputs.nwkSKey) : inputs.appSKey;
  const fOptsKind = up ? "FCntUp" : frame.fPort ? "AFCntDown" : "NFCntDown";
  expectAll(vector, {
    ...dataFields(frame),
    micValid: verified,
    mic: hex(micOctets(computeMic(phyPayload.subarray(0, -4)))),
    fOpts:
      is11 && inputs.fOptsEncrypted !== false && inputs.nwkSEncKey
        ? hex(cryptFOpts(key(inputs.nwkSEncKey), fOptsKind, devAddr, fCnt, frame.fOpts))
        : hex(frame.fOpts),
    frmPayload: payloadKey
      ? hex(cryptFrmPayload(key(payloadKey), up ? "up" : "down", devAddr, fCnt, frame.frmPayload))
      : hex(frame.frmPayload),
  });
}
for (const name of ["uplink-1.0", "uplink-1.1", "downlink-1.0", "downlink-1.1"]) kind(name, dataVector);

kind("crypto-primitive", (vector) => {
  const { inputs } = vector;
  const direction = inputs.dir === 0 ? "up" : "down";
  const devAddr = fromText(inputs.devAddr);
  const clear = octets(inputs.plaintext);
  const ciphertext = inputs.frameTypeConstant
    ? cryptFOpts(key(inputs.key), direction === "up" ? "FCntUp" : "NFCntDown", devAddr, number(inputs.fCnt32), clear)
    : cryptFrmPayload(key(inputs.key), direction, devAddr, number(inputs.fCnt32), clear);
  if (inputs.frameTypeConstant) expect(inputs.frameTypeConstant).toBe("00000001");
  expectAll(vector, { ciphertext: hex(ciphertext) });
});

kind("join-request", (vector) => {
  const { inputs } = vector;
  const message = inputs.msg ? octets(inputs.msg) : octets(inputs.phyPayload).subarray(0, -4);
  const mic = cmac4(octets(inputs.key), message);
  const frame = frameOf(inputs.phyPayload ?? `${String(inputs.msg)}${hex(mic)}`);
  if (frame.type !== "JoinRequest") throw new Error(frame.type);
  expectAll(vector, { joinEUI: frame.joinEui, devEUI: frame.devEui, devNonce: frame.devNonce, mic: hex(mic) });
  const phyPayload = encodePhyPayload(frame);
  expect(lorawan.verifyTrailingMic(octets(inputs.key), phyPayload)).toBe(true);
  phyPayload[5] = (phyPayload[5] ?? 0) ^ 1;
  expect(lorawan.verifyTrailingMic(octets(inputs.key), phyPayload)).toBe(false);
});

kind("rejoin", (vector) => {
  const { inputs } = vector;
  const rejoinKey =
    inputs.keyDerivation === "JSIntKey"
      ? lorawan.deriveJsIntKey(octets(inputs.nwkKey), id(lorawan.parseDevEui, inputs.devEUIbe))
      : octets(inputs.key);
  const mic = cmac4(rejoinKey, octets(inputs.msg));
  const frame = frameOf(`${String(inputs.msg)}${hex(mic)}`);
  if (frame.type !== "RejoinRequest") throw new Error(frame.type);
  const home = frame.rejoinType === 1 ? { joinEUI: frame.joinEui } : { netID: frame.netId };
  expectAll(vector, {
    ...home,
    rejoinType: frame.rejoinType,
    devEUI: frame.devEui,
    rjCount: frame.rjCount,
    mic: hex(mic),
  });
  expect(lorawan.verifyTrailingMic(rejoinKey, encodePhyPayload(frame))).toBe(true);
});

function joinAcceptVector(vector: Vector): void {
  const { inputs } = vector;
  const encryptionKey = inputs.encKey ?? inputs.appKey;
  const context = inputs.joinEUI
    ? {
        joinReqType: number(inputs.joinReqType) as 255,
        joinEui: id(lorawan.parseJoinEui, inputs.joinEUI),
        devNonce: number(inputs.devNonce),
      }
    : undefined;
  const micOf = (fields: Uint8Array) =>
    context
      ? lorawan.joinAcceptMic11(octets(inputs.jsIntKey), context, fields)
      : lorawan.joinAcceptMic10(octets(inputs.appKey), fields);
  let fields: Uint8Array;
  let encrypted = "";
  if (inputs.plaintext) fields = octets(inputs.plaintext).subarray(1);
  else if (inputs.decrypted) {
    fields = octets(inputs.decrypted).subarray(0, -4);
    encrypted = hex(
      lorawan.encryptJoinAccept(octets(encryptionKey), fields, octets(inputs.decrypted).subarray(-4)).subarray(1),
    );
  } else {
    const frame = frameOf(inputs.phyPayload);
    expect(frame.type).toBe("JoinAccept");
    const opened = lorawan.decryptJoinAccept(octets(encryptionKey), octets(inputs.phyPayload));
    if (!opened) throw new Error("not opened");
    fields = opened.fields;
    expect(hex(opened.mic)).toBe(hex(micOf(fields)));
    expect(hex(lorawan.encryptJoinAccept(octets(encryptionKey), fields, opened.mic))).toBe(inputs.phyPayload);
  }
  const clear = lorawan.decodeJoinAcceptFields(fields);
  if (isRefused(clear)) throw new Error(clear.reason);
  expect(hex(lorawan.encodeJoinAcceptFields(clear))).toBe(hex(fields));
  expectAll(vector, {
    joinNonce: clear.joinNonce,
    netID: clear.netId,
    devAddr: clear.devAddr,
    dlSettings: lorawan.encodeDlSettings(clear.dlSettings).toString(16).padStart(2, "0"),
    rxDelay: clear.rxDelay,
    mic: hex(micOf(fields)),
    encrypted,
  });
}
kind("join-accept-1.0", joinAcceptVector);
kind("join-accept-1.1", joinAcceptVector);

kind("session-keys-1.0", (vector) => {
  const { appKey, joinNonce, netID, devNonce } = vector.inputs;
  const keys = lorawan.deriveSessionKeys10(
    octets(appKey),
    fromText(joinNonce),
    id(lorawan.parseNetId, netID),
    fromText(devNonce),
  );
  expectAll(vector, { nwkSKey: hex(keys.nwkSKey), appSKey: hex(keys.appSKey) });
});
kind("session-keys-1.1", (vector) => {
  const { nwkKey, appKey, joinNonce, joinEUI, devNonce, devEUI } = vector.inputs;
  if (devEUI) {
    const device = id(lorawan.parseDevEui, devEUI);
    expectAll(vector, {
      jsIntKey: hex(lorawan.deriveJsIntKey(octets(nwkKey), device)),
      jsEncKey: hex(lorawan.deriveJsEncKey(octets(nwkKey), device)),
    });
    return;
  }
  const keys = lorawan.deriveSessionKeys11(
    octets(nwkKey),
    octets(appKey),
    fromText(joinNonce),
    id(lorawan.parseJoinEui, joinEUI),
    fromText(devNonce),
  );
  expectAll(vector, Object.fromEntries(Object.entries(keys).map(([name, value]) => [name, hex(value)])));
});
kind("relay-keys", (vector) =>
  expectAll(vector, { rootWorSKey: hex(lorawan.deriveRootWorSKey(octets(vector.inputs.nwkSEncKey))) }),
);
kind("kek-wrap", (vector) => {
  const { key: plain, kek } = vector.inputs;
  expectAll(vector, { wrapped: hex(lorawan.wrapKey(octets(kek), octets(plain))) });
  expect(hex(lorawan.unwrapKey(octets(kek), octets(vector.expected.wrapped)))).toBe(plain);
});
kind("cmac", (vector) => expectAll(vector, { cmac: hex(key(vector.inputs.key).cmac(octets(vector.inputs.msg))) }));
kind("multicast-keys", (vector) => {
  const { genAppKey, appKey, mcRootKey, mcKey, mcAddr } = vector.inputs;
  if (genAppKey) expectAll(vector, { mcRootKey: hex(lorawan.deriveMcRootKey10(octets(genAppKey))) });
  else if (appKey) expectAll(vector, { mcRootKey: hex(lorawan.deriveMcRootKey11(octets(appKey))) });
  else if (mcRootKey) expectAll(vector, { mcKEKey: hex(lorawan.deriveMcKEKey(octets(mcRootKey))) });
  else {
    const keys = lorawan.deriveMcSessionKeys(octets(mcKey), id(lorawan.parseDevAddr, mcAddr));
    expectAll(vector, { mcAppSKey: hex(keys.mcAppSKey), mcNwkSKey: hex(keys.mcNwkSKey) });
  }
});

kind("mac-command", (vector) => {
  const stream = octets(vector.inputs.hex);
  const { commands, rest } = vector.inputs.uplink ? decodeUplinkCommands(stream) : decodeDownlinkCommands(stream);
  expect(hex(rest), "nothing is left").toBe("");
  expect(commands).toHaveLength(1);
  // The source writes RxParamSetupReq where the specification has RXParamSetupReq.
  expect(commands[0]?.name.toLowerCase()).toBe(String(vector.expected.command).toLowerCase());
  const again = vector.inputs.uplink
    ? decodeUplinkCommands(stream).commands.map(encodeUplinkCommand)
    : decodeDownlinkCommands(stream).commands.map(encodeDownlinkCommand);
  expect(hex(lorawan.concat(again))).toBe(vector.inputs.hex);
});

kind("ping-slot", ({ inputs, ...vector }) => {
  const offset = lorawan.pingOffset(number(inputs.beaconTime), fromText(inputs.devAddr), number(inputs.pingPeriod));
  expectAll({ inputs, ...vector }, { pingOffset: offset });
});

/** The station of these captures counted Param as RFU. */
kind("beacon", (vector) => {
  const beacon = lorawan.decodeBeacon(octets(vector.inputs.payload), { rfu1: 1, rfu2: 0 });
  if ("reason" in beacon) throw new Error(beacon.reason);
  const again = hex(lorawan.encodeBeacon(beacon, { rfu1: 1, rfu2: 0 }));
  expect(again).toBe(vector.inputs.payload);
  expect(beacon.gatewayInfoIntact).toBe(true);
  expectAll(vector, { rfu: again.slice(0, 4), timeAndCrc: again.slice(4, 16) });
});

/** How the sources of application layer vectors call what the specification's tables call otherwise. */
function renamed(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { mcGroupId, groups, mcKeyEncrypted, descriptor, payload, missingFrag } = values;
  return {
    ...values,
    id: values.packageIdentifier ?? mcGroupId,
    version: values.packageVersion,
    regGroupMask: values.reqGroupMask,
    groups: (groups as { mcGroupId: number; mcAddr: string }[] | undefined)?.map((entry) => ({
      id: entry.mcGroupId,
      mcAddr: entry.mcAddr,
    })),
    mcKeyEncrypted: hex(mcKeyEncrypted as Uint8Array | undefined),
    minFCnt: values.minMcFCnt,
    maxFCnt: values.maxMcFCnt,
    undefined: values.mcGroupUndefined,
    freq: values.frequency,
    dr: values.dataRate,
    mcGroups: values.mcGroupBitMask,
    matrix: values.fragAlgo,
    descriptor: hex(descriptor as Uint8Array | undefined),
    wrongDescriptor: values.wrongDescriptor,
    doesNotExist: values.sessionDoesNotExist,
    payload: hex(payload as Uint8Array | undefined),
    missing: missingFrag,
  };
}
function packageVector<U extends { readonly name: string }, D extends { readonly name: string }>(
  up: lorawan.CommandCodec<U>,
  down: lorawan.CommandCodec<D>,
): (vector: Vector) => void {
  const check = <C extends { readonly name: string }>(vector: Vector, codec: lorawan.CommandCodec<C>): void => {
    const { commands, rest } = codec.decode(octets(vector.inputs.hex));
    expect(hex(rest)).toBe("");
    expect(commands).toHaveLength(1);
    for (const command of commands) {
      expect(command.name.toLowerCase()).toBe((vector.name.split(" ")[0] ?? "").toLowerCase());
      expectAll(vector, renamed(command));
      expect(hex(codec.encode(command))).toBe(vector.inputs.hex);
    }
  };
  return (vector) => (vector.inputs.uplink ? check(vector, up) : check(vector, down));
}
kind("applayer-ts003", packageVector(lorawan.clockSyncUplink, lorawan.clockSyncDownlink));
kind("applayer-ts004", packageVector(lorawan.fragmentation1Uplink, lorawan.fragmentation1Downlink));
kind("applayer-ts005", packageVector(lorawan.multicastSetupUplink, lorawan.multicastSetupDownlink));
kind("applayer-ts004-fec", (vector) => {
  const { data, fragSize, redundancy } = vector.inputs;
  const fragments = lorawan.encodeFragments(octets(data), number(fragSize), number(redundancy), 1);
  expectAll(vector, { fragments: fragments.map(hex) });
});

kind("relay", (vector) => {
  const forwarded = lorawan.decodeForwardUplinkReq(octets(vector.inputs.hex));
  if (!forwarded) throw new Error("too short");
  expect(hex(lorawan.encodeForwardUplinkReq(forwarded))).toBe(vector.inputs.hex);
  expectAll(vector, {
    dr: forwarded.dataRate,
    snr: forwarded.snr,
    rssi: forwarded.rssi,
    worChannel: forwarded.worChannel,
    freq: forwarded.frequency,
    payload: hex(forwarded.phyPayload),
  });
});

describe("published vectors", () => {
  const done = new Set<string>();
  for (const [name, check] of exercised) {
    test(`${name}: ${ofKind(name).length} vectors`, () => {
      expect(ofKind(name).length).toBeGreaterThan(0);
      for (const vector of ofKind(name)) {
        check(vector);
        done.add(vector.id);
      }
    });
  }
  test("every vector of the file was exercised, and each names its source", () => {
    expect(vectors.length).toBe(178);
    expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length);
    expect(vectors.filter(({ id }) => !done.has(id)).map(({ id, kind }) => `${id} ${kind}`)).toEqual([]);
    for (const { id, source } of vectors) expect(source, id).not.toBe("");
  });
  test("the helper refuses what is not hex", () => expect(fromHex("00zz")).toBeUndefined());
});
