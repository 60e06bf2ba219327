import { describe, expect, test } from "vitest";
import { JitQueue } from "./jit.ts";

const now = 4_294_900_000; // 67 ms before the counter wraps
const at = (us: number) => (now + us) >>> 0;

describe("the just-in-time queue decides as Semtech's reference forwarder does", () => {
  const plan = (queue: JitQueue<string>, us: number, airtimeUs = 50_000) => {
    const planned = queue.add(now, { tmst: at(us), airtimeUs, packet: "x" });
    return typeof planned === "string" ? planned : planned.tmst;
  };
  test("takes a packet a second ahead, across the wrap of the counter", () => {
    expect(plan(new JitQueue(), 1_000_000)).toBe(932_704);
  });
  test.each([
    [1, "TOO_LATE"],
    [32_500, "TOO_LATE"],
    [32_501, at(32_501)],
    [512_000_000, at(512_000_000)],
    [512_000_001, "TOO_EARLY"],
    [-1, "TOO_EARLY"],
  ] as const)("%i µs ahead: %s", (us, expected) => {
    expect(plan(new JitQueue(), us)).toBe(expected);
  });
  test("refuses what overlaps a planned packet, with room to start, and takes it again once that was sent", () => {
    const queue = new JitQueue<string>();
    const first = queue.add(now, { tmst: at(1_000_000), airtimeUs: 50_000, packet: "x" });
    expect(plan(queue, 1_000_000 + 50_000 + 32_500)).toBe("COLLISION_PACKET");
    expect(plan(queue, 1_000_000 - 50_000 - 32_500)).toBe("COLLISION_PACKET");
    expect(plan(queue, 1_000_000 + 50_000 + 32_501)).toBe(at(1_082_501));
    expect(plan(queue, 1_000_000 - 50_000 - 32_501)).toBe(at(917_499));
    queue.remove(first as Exclude<typeof first, string>);
    expect(queue.size).toBe(2);
    expect(plan(queue, 1_000_000)).toBe(at(1_000_000));
  });
  test("an immediate packet waits for the first gap", () => {
    const queue = new JitQueue<string>();
    queue.add(now, { tmst: at(1_000_000), airtimeUs: 50_000, packet: "x" });
    const planned = queue.add(now, { tmst: undefined, airtimeUs: 10_000, packet: "y" });
    expect(planned).toMatchObject({ tmst: at(1_082_501) });
  });
  test("holds thirty-two", () => {
    const queue = new JitQueue<string>();
    for (let i = 0; i < 32; i++) plan(queue, (i + 1) * 1_000_000);
    expect(plan(queue, 100_000_000)).toBe("COLLISION_PACKET");
  });
});
