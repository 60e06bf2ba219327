import fc from "fast-check";
import { expect, test } from "vitest";
import { limits, parsePush } from "./parse.ts";

const push = (value: unknown) => parsePush(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
const one = (downlink: object) => push({ downlinks: [downlink] });

test("a push as compat.md §1 shows it", () => {
  expect(one({ f_port: 15, frm_payload: "vu8=", priority: "NORMAL", confirmed: false })).toEqual({
    result: "valid",
    downlinks: [{ fPort: 15, frmPayload: "vu8=", priority: "NORMAL", confirmed: false, correlationIds: [] }],
  });
  expect(one({ f_port: 1, unknown: 1, correlation_ids: ["a"] })).toEqual({
    result: "valid",
    downlinks: [{ fPort: 1, frmPayload: "", priority: "LOWEST", confirmed: false, correlationIds: ["a"] }],
  });
  expect(push({ downlinks: [] })).toEqual({ result: "valid", downlinks: [] });
});

test.each([
  ["{", "downlink/not-json"],
  ["[]", "downlink/no-downlinks"],
  [{ downlinks: {} }, "downlink/no-downlinks"],
  [{ downlinks: Array(101).fill({ f_port: 1 }) }, "downlink/too-many"],
  [{ downlinks: [1] }, "downlink/malformed"],
  [{ downlinks: [{ f_port: 1 }, { f_port: 224 }] }, "downlink/f-port"],
  [{ downlinks: [{ f_port: 0 }] }, "downlink/f-port"],
  [{ downlinks: [{}] }, "downlink/f-port"],
  [{ downlinks: [{ f_port: 1.5 }] }, "downlink/f-port"],
  [{ downlinks: [{ f_port: 1, frm_payload: "vu8" }] }, "downlink/not-base64"],
  [{ downlinks: [{ f_port: 1, frm_payload: "v\nu8=" }] }, "downlink/not-base64"],
  [{ downlinks: [{ f_port: 1, frm_payload: 7 }] }, "downlink/not-base64"],
  [{ downlinks: [{ f_port: 1, frm_payload: Buffer.alloc(243).toString("base64") }] }, "downlink/too-long"],
  [{ downlinks: [{ f_port: 1, priority: "URGENT" }] }, "downlink/priority"],
  [{ downlinks: [{ f_port: 1, confirmed: "yes" }] }, "downlink/confirmed"],
  [{ downlinks: [{ f_port: 1, correlation_ids: Array(11).fill("a") }] }, "downlink/correlation-ids"],
  [{ downlinks: [{ f_port: 1, correlation_ids: ["a".repeat(101)] }] }, "downlink/correlation-ids"],
  [{ downlinks: [{ f_port: 1, decoded_payload: {} }] }, "downlink/no-encoder"],
  [{ downlinks: [{ f_port: 1, class_b_c: {} }] }, "downlink/class-a-only"],
  [" ".repeat(limits.messageOctets + 1), "downlink/message-too-large"],
])("%j is refused: %s", (value, code) => expect(push(value)).toMatchObject({ result: "refused", code }));

test("what could be read of a refused one is told", () => {
  expect(one({ f_port: 7, frm_payload: "?", correlation_ids: ["mine"] })).toEqual({
    result: "refused",
    code: "downlink/not-base64",
    downlink: { fPort: 7, correlationIds: ["mine"] },
  });
});

test("any octets: an outcome, never an exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void parsePush(octets)));
  fc.assert(fc.property(fc.json(), (text) => void push(text)));
  fc.assert(fc.property(fc.anything(), (item) => void one({ f_port: item, frm_payload: item, priority: item })));
});
