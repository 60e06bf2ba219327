import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

it("one at a time for a key, in order, also after a failure; other keys pass", async () => {
  const turns = new Turns();
  const said: string[] = [];
  let free: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    free = resolve;
  });
  const first = turns.take("a", async () => {
    await held;
    said.push("a1");
    throw new Error("a1 failed");
  });
  const second = turns.take("a", async () => void said.push("a2"));
  await turns.take("b", async () => void said.push("b"));
  expect(said).toEqual(["b"]);
  free();
  await expect(first).rejects.toThrow("a1 failed");
  await second;
  expect(said).toEqual(["b", "a1", "a2"]);
});
