/** The benchmark of joins, small: that what it counts are joins, and that it compares them with the same calls. */
import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { devEuiOf, joinEui, joinRequestOf, keyOf } from "./devices.ts";
import { benchJoins, showJoins } from "./report.ts";

const require = createRequire(import.meta.url);
type Packet = { readonly DevEUI: Buffer; readonly AppEUI: Buffer; readonly DevNonce: Buffer };
const lora: {
  fromWire(octets: Buffer): Packet;
  verifyMIC(packet: Packet, nwkSKey: undefined, appKey: Buffer): boolean;
} = require("lora-packet");
const LoraPacket = lora as unknown as typeof lora & { default?: { fromWire(octets: Buffer): Packet } };

it("join-requests are what lora-packet reads and verifies", () => {
  const packet = (LoraPacket.default ?? LoraPacket).fromWire(Buffer.from(joinRequestOf(258, 7, false), "hex"));
  expect(packet.DevEUI.toString("hex")).toBe(devEuiOf(258));
  expect(packet.AppEUI.toString("hex")).toBe(joinEui);
  expect(packet.DevNonce.readUInt16BE(0)).toBe(7);
  expect(lora.verifyMIC(packet, undefined, Buffer.from(keyOf("AppKey", 258)))).toBe(true);
  expect(lora.verifyMIC(packet, undefined, Buffer.from(keyOf("AppKey", 259)))).toBe(false);
});

it.each(["1.0.4", "1.1"] as const)("devices of %s join, none is refused, and each joins often", async (macVersion) => {
  const said: string[] = [];
  const report = await benchJoins({
    ...{ vault: "software", devices: 40, processes: 1, seconds: 1, macVersion, connections: 4 },
    say: (line) => said.push(line),
  });
  expect([report.refused, said.filter((line) => !line.startsWith("bench: "))]).toEqual([{}, []]);
  expect(report.joinsPerSecond).toBeGreaterThan(0);
  expect(report.rawJoinsPerSecond).toBeGreaterThan(report.joinsPerSecond);
  expect(report.ratio).toBeCloseTo(report.joinsPerSecond / report.rawJoinsPerSecond, 1);
  expect(report.latencyMs.p99).toBeGreaterThanOrEqual(report.latencyMs.p50);
  expect(report.cpuMicrosPerJoin.vault).toBeGreaterThan(0);
  expect(showJoins(report)).toContain(`${report.joinsPerSecond} joins/s`);
});
