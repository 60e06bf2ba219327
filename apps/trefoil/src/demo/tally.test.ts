import { expect, test } from "vitest";
import { Tally } from "./tally.ts";

test("an uplink that was heard and not delivered is lost; one that no gateway heard is not", () => {
  const tally = new Tally(3);
  tally.sent();
  tally.sent();
  tally.sent();
  tally.heard("a/1", 100);
  tally.heard("a/1", 105); // a second gateway
  tally.heard("b/1", 100);
  tally.delivered("a/1", 350);
  expect(tally.summary()).toMatchObject({
    uplinksSent: 3,
    heard: 2,
    delivered: 1,
    lost: 1,
    duplicates: 0,
    latencyMs: { p50: 250 },
  });
});

test("a second delivery is a duplicate, and delivery may be known before the hearing", () => {
  const tally = new Tally(1);
  tally.delivered("a/1", 300);
  tally.delivered("a/1", 310);
  tally.heard("a/1", 100);
  expect(tally.summary()).toMatchObject({ delivered: 1, duplicates: 1, lost: 0, latencyMs: { p50: 200, p99: 200 } });
});
