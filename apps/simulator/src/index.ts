/** The simulator's public face. See README.md. */
export * from "./attacks.ts";
export {
  Device,
  type DeviceMemory,
  type DeviceOptions,
  type Message,
  type Personalisation,
  personalKeys,
  type SendResult,
} from "./device/device.ts";
export type { DeviceEvent, DeviceFact } from "./device/events.ts";
export type { Downlink } from "./device/session.ts";
export type { MacVersion } from "./device/versions.ts";
export type { RejoinType } from "./frames.ts";
export { Gateway, type GatewayCounts, type GatewayEvent, type GatewayOptions } from "./gateway/gateway.ts";
export { type LoadDevice, loadDevices, loadGateways } from "./load/devices.ts";
export { fromHex, toHex } from "./octets.ts";
export { RealClock, VirtualClock } from "./radio/clock.ts";
export { type Emission, Medium } from "./radio/medium.ts";
export { airtimeUs } from "./radio/modulation.ts";
export { seededRandom } from "./random.ts";
export { type Region, regions } from "./regions/index.ts";
export {
  credentialsFromJson,
  credentialsToJson,
  type DeviceCredentials,
  scenarioDevices,
} from "./scenario/credentials.ts";
export { type Memories, readMemories, writeMemories } from "./scenario/memory-file.ts";
export { decodeBay, encodeBay } from "./scenario/parking-bay.ts";
export {
  gatewayTotals,
  type Run,
  type RunCounts,
  type RunEvent,
  type RunOptions,
  runScenario,
} from "./scenario/run.ts";
export { parseScenario, type Scenario, ScenarioError } from "./scenario/scenario.ts";
