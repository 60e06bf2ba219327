import fc from "fast-check";
import { expect, test } from "vitest";
import { type AnswerInput, decideAnswer } from "./answer.ts";

const quiet: AnswerInput = {
  hasTwoCounters: false,
  nFCntDown: 8,
  uplink: { confirmed: false, adrAckReq: false },
  fOpts: 0,
  most: [250, 59],
};
const confirmed = { confirmed: true, adrAckReq: false };

test("an unconfirmed uplink that asks nothing gets no downlink", () => {
  expect(decideAnswer(quiet)).toMatchObject({ frame: "none", forgetReservation: false });
});

test.each([
  ["a confirmed uplink (TS001-1.0.4 §4.3.1.2)", { ...quiet, uplink: confirmed }, true],
  ["ADRACKReq (TS001-1.0.4 §4.3.1.1)", { ...quiet, uplink: { confirmed: false, adrAckReq: true } }, false],
  ["a MAC command with an answer (TS001-1.0.4 §5)", { ...quiet, fOpts: 3 }, false],
])("%s is answered by a frame in RX1 or RX2", (_, input, ack) => {
  expect(decideAnswer(input)).toMatchObject({ frame: "network", ack, windows: [0, 1], fPending: false });
});

test("an offered downlink goes out with the acknowledgement in one frame", () => {
  const offer = { fCntDown: 7, size: 10, more: true };
  expect(decideAnswer({ ...quiet, uplink: confirmed, fOpts: 2, offer })).toEqual({
    frame: "offer",
    ack: true,
    fPending: true,
    windows: [0, 1],
    forgetReservation: false,
  });
});

test("a payload that is too long for RX2 goes out in RX1 alone", () => {
  const offer = { fCntDown: 7, size: 52, more: false };
  expect(decideAnswer({ ...quiet, offer }).windows).toEqual([0]);
  expect(decideAnswer({ ...quiet, offer: { ...offer, size: 51 } }).windows).toEqual([0, 1]);
});

test("a payload that no window carries is invalidated, and the device is still answered", () => {
  const offer = { fCntDown: 7, size: 200, more: false };
  const slow = { ...quiet, most: [59, 59], offer };
  expect(decideAnswer(slow)).toMatchObject({ frame: "none", invalidate: "too-long-for-data-rate" });
  expect(decideAnswer({ ...slow, uplink: confirmed })).toMatchObject({
    frame: "network",
    fPending: false, // a device that asks again at the same data rate would ask for ever
    invalidate: "too-long-for-data-rate",
  });
  expect(decideAnswer({ ...slow, hasTwoCounters: true, uplink: confirmed })).toMatchObject({
    frame: "network",
    fPending: false,
    invalidate: "too-long-for-data-rate",
  });
});

test("1.0.x: a network frame overtakes a reservation; 1.1 counts apart (DESIGN §4)", () => {
  const reserved = { fCntDown: 7 };
  expect(decideAnswer({ ...quiet, uplink: confirmed, reserved })).toMatchObject({
    frame: "network",
    forgetReservation: true,
  });
  expect(decideAnswer({ ...quiet, uplink: confirmed, reserved, hasTwoCounters: true })).toMatchObject({
    forgetReservation: false,
  });
  expect(decideAnswer({ ...quiet, reserved })).toMatchObject({ frame: "none", forgetReservation: false });
});

test("1.0.x: an offer whose counter was overtaken is never sent", () => {
  const offer = { fCntDown: 6, size: 4, more: false };
  expect(decideAnswer({ ...quiet, offer })).toMatchObject({ frame: "none", invalidate: "counter-overtaken" });
  expect(decideAnswer({ ...quiet, offer, hasTwoCounters: true })).toMatchObject({ frame: "offer" });
});

const inputs: fc.Arbitrary<AnswerInput> = fc.record(
  {
    hasTwoCounters: fc.boolean(),
    nFCntDown: fc.integer({ min: 1, max: 10 }),
    uplink: fc.record({ confirmed: fc.boolean(), adrAckReq: fc.boolean() }),
    fOpts: fc.integer({ min: 0, max: 15 }),
    offer: fc.record({
      fCntDown: fc.integer({ min: 0, max: 9 }),
      size: fc.integer({ min: 0, max: 242 }),
      more: fc.boolean(),
    }),
    most: fc.array(fc.integer({ min: 0, max: 250 }), { maxLength: 2 }),
  },
  { requiredKeys: ["hasTwoCounters", "nFCntDown", "uplink", "fOpts", "most"] },
);
test("no frame is longer than its window allows, and an offer is either sent, kept for no one, or invalidated", () => {
  fc.assert(
    fc.property(inputs, (input) => {
      const answer = decideAnswer(input);
      const length = 7 + input.fOpts + (answer.frame === "offer" && input.offer ? 1 + input.offer.size : 0);
      for (const window of answer.windows) expect(length).toBeLessThanOrEqual(input.most[window] as number);
      expect(answer.frame === "none").toBe(answer.windows.length === 0);
      if (input.offer) expect(answer.frame === "offer").toBe(answer.invalidate === undefined);
    }),
  );
});
