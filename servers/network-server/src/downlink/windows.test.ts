import { regions } from "@trefoil/lorawan";
import { expect, test } from "vitest";
import { reception } from "../../test/world.ts";
import { answerOrder, byQuality } from "../uplink/quality.ts";
import { classAWindows, joinAcceptWindows } from "./windows.ts";

const phy = Uint8Array.of(1);
const eu = { rxDelay: 1, rx1DrOffset: 0, rx2DataRate: 0, rx2Hz: 869_525_000 };
const show = (windows: ReturnType<typeof classAWindows>) =>
  windows.map(({ delayUs, hz, dataRate, most }) => [delayUs / 1e6, hz, dataRate, most]);

test.each([
  [
    "EU868 DR5",
    regions.EU868,
    eu,
    868_300_000,
    "SF7BW125",
    [
      [1, 868_300_000, "SF7BW125", 250],
      [2, 869_525_000, "SF12BW125", 59],
    ],
  ],
  [
    "RxDelay 0 means 1",
    regions.EU868,
    { ...eu, rxDelay: 0 },
    868_100_000,
    "SF12BW125",
    [
      [1, 868_100_000, "SF12BW125", 59],
      [2, 869_525_000, "SF12BW125", 59],
    ],
  ],
  [
    "RX1DROffset, RxDelay 5",
    regions.EU868,
    { ...eu, rxDelay: 5, rx1DrOffset: 2, rx2DataRate: 3 },
    868_500_024,
    "SF8BW125",
    [
      [5, 868_500_000, "SF10BW125", 59],
      [6, 869_525_000, "SF9BW125", 123],
    ],
  ],
  [
    "US915: RX1 on another channel",
    regions.US915,
    { ...eu, rx2DataRate: 8, rx2Hz: 923_300_000 },
    902_500_000,
    "SF10BW125",
    [
      [1, 923_900_000, "SF10BW500", 250],
      [2, 923_300_000, "SF12BW500", 61],
    ],
  ],
  [
    "a data rate that the region does not know: RX2 alone",
    regions.EU868,
    eu,
    868_100_000,
    "SF5BW125",
    [[2, 869_525_000, "SF12BW125", 59]],
  ],
])("class A windows, %s", (_, region, parameters, hz, dataRate, expected) => {
  expect(show(classAWindows(region, parameters, reception(phy, { hz, dataRate })))).toEqual(expected);
});

test("a join-accept is sent after 5 and 6 seconds, RX2 may be louder in EU868 (RP002-1.0.4)", () => {
  const windows = joinAcceptWindows(regions.EU868, reception(phy, { dataRate: "SF9BW125" }));
  expect(show(windows)).toEqual([
    [5, 868_100_000, "SF9BW125", 123],
    [6, 869_525_000, "SF12BW125", 59],
  ]);
  expect(windows.map(({ eirpDbm }) => eirpDbm)).toEqual([16.15, 29.15]);
});

test("gateways answer in the order of SNR, then RSSI; ghosts on other channels do not answer", () => {
  const heard = [
    { gateway: "000000000000000a", snr: 1, rssi: -100 },
    { gateway: "000000000000000b", snr: 5, rssi: -110 },
    { gateway: "000000000000000c", snr: 5, rssi: -90 },
    { gateway: "000000000000000d", snr: 4, rssi: -90, hz: 868_300_000 },
    { gateway: "000000000000000c", snr: 2, rssi: -90, antenna: 1 },
  ].map((more) => ({ reception: reception(phy, more), from: 0 }));
  expect(byQuality(heard).map(({ reception: { gateway } }) => gateway.at(-1))).toEqual(["c", "b", "d", "c", "a"]);
  expect(answerOrder(byQuality(heard)).map(({ reception: { gateway } }) => gateway.at(-1))).toEqual(["c", "b", "a"]);
});
