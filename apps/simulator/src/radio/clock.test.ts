import { expect, test } from "vitest";
import { RealClock, VirtualClock } from "./clock.ts";

test("events happen in the order of their times, and of scheduling where times are equal", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  for (const at of [30, 10, 20, 10]) clock.at(at, () => seen.push(`${at}@${clock.now()}`));
  clock.at(10, () => clock.at(15, () => seen.push("nested")));
  clock.at(12, () => seen.push("cancelled")).cancel();
  await clock.runUntil(25);
  expect(seen).toEqual(["10@10", "10@10", "nested", "20@20"]);
  expect(clock.now()).toBe(25);
});

test("on the real clock an event that the machine runs late still sees its own time, and time never goes back", async () => {
  const clock = new RealClock({ stallUs: 1e9 });
  const start = clock.now();
  const seen: number[] = [];
  const done = Promise.withResolvers<void>();
  clock.at(start + 2_000, () => seen.push(clock.now() - start));
  clock.at(start + 1_000, () => seen.push(clock.now() - start));
  clock.at(start + 3_000, done.resolve);
  const until = performance.now() + 20;
  while (performance.now() < until); // the process is busy past all three
  expect(clock.now() - start).toBe(1_000);
  await done.promise;
  expect(seen).toEqual([1_000, 2_000]);
  clock.close();
});

test("a process that was stopped stops its world's clock with it", async () => {
  const clock = new RealClock({ stallUs: 5_000 });
  const start = clock.now();
  const done = Promise.withResolvers<number>();
  clock.at(start + 1_000, () => undefined);
  clock.at(start + 100_000, () => done.resolve(performance.now()));
  const began = performance.now();
  while (performance.now() < began + 60);
  const ended = await done.promise;
  // The 60 ms of standing still are not part of the world's 100 ms.
  expect(ended - began).toBeGreaterThanOrEqual(150);
  expect(clock.stalledUs).toBeGreaterThanOrEqual(55_000);
  clock.close();
});
