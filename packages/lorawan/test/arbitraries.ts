/** Frames of every kind, for properties. */
import fc from "fast-check";
import type { CFList, DevAddr, DevEui, Frame, JoinAcceptFields, JoinEui, NetId } from "../src/index.ts";
import { hzFromRaw } from "../src/octets/frequency.ts";

const hexText = <T extends string>(digits: number): fc.Arbitrary<T> =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: digits, maxLength: digits })
    .map((text) => text.join("") as T);
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const mic = exactly(4);
const u16 = fc.nat(0xffff);
const devEui = hexText<DevEui>(16);
const joinEui = hexText<JoinEui>(16);
const netId = hexText<NetId>(6);
const devAddr = hexText<DevAddr>(8);

/** What goes together in a data frame: FOpts, FPort and FRMPayload. */
const body = fc.oneof(
  fc.record({ fOpts: fc.uint8Array({ maxLength: 15 }), fPort: fc.constant(undefined), frmPayload: exactly(0) }),
  fc.record({
    fOpts: fc.uint8Array({ maxLength: 15 }),
    fPort: fc.integer({ min: 1, max: 255 }),
    frmPayload: fc.uint8Array({ maxLength: 227 }),
  }),
  fc.record({ fOpts: exactly(0), fPort: fc.constant(0), frmPayload: fc.uint8Array({ maxLength: 242 }) }),
);
const common = { devAddr, adr: fc.boolean(), ack: fc.boolean(), fCnt: u16, mic };
const up = fc.record({
  ...common,
  type: fc.constantFrom("UnconfirmedDataUp" as const, "ConfirmedDataUp" as const),
  adrAckReq: fc.boolean(),
  classB: fc.boolean(),
});
const down = fc.record({
  ...common,
  type: fc.constantFrom("UnconfirmedDataDown" as const, "ConfirmedDataDown" as const),
  rfu: fc.boolean(),
  fPending: fc.boolean(),
});

export const aFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant("JoinRequest" as const), joinEui, devEui, devNonce: u16, mic }),
  fc.record({ type: fc.constant("JoinAccept" as const), encrypted: fc.oneof(exactly(16), exactly(32)) }),
  fc.record({
    type: fc.constant("RejoinRequest" as const),
    rejoinType: fc.constantFrom(0 as const, 2 as const),
    netId,
    devEui,
    rjCount: u16,
    mic,
  }),
  fc.record({
    type: fc.constant("RejoinRequest" as const),
    rejoinType: fc.constant(1 as const),
    joinEui,
    devEui,
    rjCount: u16,
    mic,
  }),
  fc.tuple(up, body).map(([frame, rest]) => ({ ...frame, ...rest })),
  fc.tuple(down, body).map(([frame, rest]) => ({ ...frame, ...rest })),
  fc.record({ type: fc.constant("Proprietary" as const), payload: fc.uint8Array({ maxLength: 254 }) }),
);

const cfList: fc.Arbitrary<CFList> = fc.oneof(
  fc.record({
    type: fc.constant(0 as const),
    frequencies: fc.array(fc.nat(0xffffff).map(hzFromRaw), { minLength: 5, maxLength: 5 }),
  }),
  fc.record({ type: fc.constant(1 as const), channelMasks: fc.array(u16, { minLength: 7, maxLength: 7 }) }),
);
export const someJoinAcceptFields: fc.Arbitrary<JoinAcceptFields> = fc.record(
  {
    joinNonce: fc.nat(0xffffff),
    netId,
    devAddr,
    dlSettings: fc.record({ optNeg: fc.boolean(), rx1DrOffset: fc.nat(7), rx2DataRate: fc.nat(15) }),
    rxDelay: fc.nat(15),
    cfList,
  },
  { requiredKeys: ["joinNonce", "netId", "devAddr", "dlSettings", "rxDelay"] },
);
