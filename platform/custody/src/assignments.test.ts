import type { AssignmentStatement } from "@trefoil/wire";
import { expect, it } from "vitest";
import { makeAssignments } from "./assignments.ts";

const everything = { first: "0000000000000000", last: "ffffffffffffffff" };
const maker = { first: "70b3d57ed0000000", last: "70b3d57ed0ffffff" };
const one = { first: "70b3d57ed0000001", last: "70b3d57ed0000001" };
const device = { devEui: "0011223344556677", joinEui: "70b3d57ed0000001" };
const to = (netId: string) => ({ network: { netId }, asId: `as-${netId}` });
const nobody = {};
const statement = (issuedAt: number, about: object, whom: object): AssignmentStatement =>
  ({ version: 1, kind: "assignment", vault: "", issuedAt, ...about, ...whom }) as AssignmentStatement;

it("a device without a statement is nobody's", () => {
  expect(makeAssignments().of(device)).toBeUndefined();
});

it("a smaller range outranks a larger one, and a device's own statement all ranges, whatever came later", () => {
  const all = makeAssignments();
  const steps: [object, object][] = [
    [{ joinEuis: everything }, to("000001")],
    [{ joinEuis: maker }, to("000002")],
    [{ joinEuis: one }, to("000003")],
    [{ devices: [device] }, to("000004")],
  ];
  for (const [i, [about, whom]] of steps.entries()) {
    expect(all.take(statement(100 - i, about, whom))).toBe("taken");
    expect(all.of(device)).toEqual(whom);
  }
  expect(all.of({ ...device, devEui: "0000000000000001" })).toEqual(to("000003"));
  expect(all.of({ ...device, joinEui: "70b3d57ed0000002" })).toEqual(to("000002"));
  expect(all.of({ ...device, joinEui: "0000000000000000" })).toEqual(to("000001"));
});

it("a statement to nobody takes a device, or a range, out of the larger one", () => {
  const all = makeAssignments();
  all.take(statement(1, { joinEuis: everything }, to("000001")));
  all.take(statement(2, { joinEuis: maker }, nobody));
  expect(all.of(device)).toBeUndefined();
  all.take(statement(3, { devices: [device] }, to("000002")));
  expect(all.of(device)).toEqual(to("000002"));
  all.take(statement(4, { devices: [device] }, nobody));
  expect(all.of(device)).toBeUndefined();
});

it("of two about one subject the later stands, and one that is older for any device changes nothing", () => {
  const all = makeAssignments();
  const other = { ...device, devEui: "0000000000000001" };
  expect(all.take(statement(5, { devices: [device] }, to("000001")))).toBe("taken");
  for (const at of [4, 5]) expect(all.take(statement(at, { devices: [other, device] }, to("000002")))).toBe("older");
  expect([all.of(device), all.of(other)]).toEqual([to("000001"), undefined]);
  expect(all.take(statement(6, { devices: [other, device] }, to("000002")))).toBe("taken");
  expect([all.of(device), all.of(other)]).toEqual([to("000002"), to("000002")]);
  expect(all.take(statement(6, { devices: [other] }, to("000002")))).toBe("same");
  expect(all.take(statement(7, { joinEuis: maker }, to("000003")))).toBe("taken");
  expect(all.take(statement(7, { joinEuis: maker }, to("000003")))).toBe("same");
  expect(all.take(statement(7, { joinEuis: maker }, to("000004")))).toBe("older");
});

it("a statement stands as long as it decides about any of its subjects", () => {
  const all = makeAssignments();
  const other = { ...device, devEui: "0000000000000001" };
  const both = statement(1, { devices: [device, other] }, to("000001"));
  const range = statement(1, { joinEuis: maker }, to("000001"));
  const laterRange = statement(2, { joinEuis: maker }, to("000002"));
  expect(all.stands(both)).toBe(false);
  for (const one of [both, range, laterRange, statement(2, { devices: [device] }, to("000002"))]) all.take(one);
  expect([both, range, laterRange].map(all.stands)).toEqual([true, false, true]);
  all.take(statement(2, { devices: [other] }, nobody));
  expect(all.stands(both)).toBe(false);
});
