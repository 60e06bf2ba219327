/** Columns of the session table: one typed array for each value, so that a million sessions are a few large allocations. */

export const keyOctets = 48;
export const keyIdOctets = 16;

/** `noFCnt` stands for "nothing heard yet", as FCnt 0 is a counter like any other. */
export const noFCnt = -1;

export type Columns = ReturnType<typeof makeColumns>;

/** About 140 octets for a session. Counters are doubles: they must hold 0 … 2^32 and -1. */
export function makeColumns(capacity: number) {
  return {
    sessionId: new Uint32Array(capacity),
    deviceId: new Uint32Array(capacity),
    devAddr: new Uint32Array(capacity),
    /** 8 octets each, most significant first. */
    devEui: new Uint8Array(capacity * 8),
    /** FNwkSIntKey (1.0.x: NwkSKey) ‖ SNwkSIntKey ‖ NwkSEncKey: views on one allocation, never copied about (runtime: small buffers leave copies). */
    keys: new Uint8Array(capacity * keyOctets),
    /** SessionKeyID, where it is 32 hex digits; others lie in a map. */
    keyId: new Uint8Array(capacity * keyIdOctets),
    /** The highest FCntUp that was accepted. */
    fCntUp: new Float64Array(capacity),
    /** The next NFCntDown (1.0.x: FCntDown) and AFCntDown. */
    nFCntDown: new Float64Array(capacity),
    aFCntDown: new Float64Array(capacity),
    /** 1.1: counter of the confirmed downlink that an ACK in the next uplink would refer to (low 16 bits). */
    confFCntDown: new Uint16Array(capacity),
    /** `confFCntDown` as it was when the last uplink was accepted: what its repetitions refer to. */
    acceptedConfFCnt: new Uint16Array(capacity),
    /** When the last uplink was heard first, by `performance.now()`; -Infinity: before this process. */
    acceptedAt: new Float64Array(capacity),
    /** How often the last confirmed uplink was answered. */
    answers: new Uint8Array(capacity),
    flags: new Uint8Array(capacity),
    macVersion: new Uint8Array(capacity),
    region: new Uint8Array(capacity),
    channelSet: new Uint16Array(capacity),
    rxDelay: new Uint8Array(capacity),
    rx1DrOffset: new Uint8Array(capacity),
    rx2DataRate: new Uint8Array(capacity),
    rx2Hz: new Uint32Array(capacity),
  };
}

/** New columns with room for `capacity` sessions and the old contents. The old keys are wiped. */
export function growColumns(old: Columns, capacity: number): Columns {
  const grown = makeColumns(capacity);
  for (const name of Object.keys(grown) as (keyof Columns)[]) grown[name].set(old[name]);
  old.keys.fill(0);
  return grown;
}
