/** All devices in memory, as columns: row = the device's number in the store. Texts lie in one arena of octets. */
import { withRoom } from "./columns.ts";
import { euiHigh, euiLow, lowerEui } from "./eui.ts";
import { EuiIndex } from "./eui-index.ts";

export type NewDevice = {
  readonly device: number;
  readonly devEui: string;
  readonly joinEui: string | null;
  /** The application's number. */
  readonly application: number;
  readonly deviceId: string;
};

export const none = -1;
const flag = { present: 1, joinEui: 2 };

export class DeviceTable {
  readonly #index = new EuiIndex();
  #flags = new Uint8Array(1024);
  /** DevEUI and JoinEUI: four words a row. */
  #euis = new Uint32Array(4096);
  #application = new Int32Array(1024);
  #idAt = new Uint32Array(1024);
  #idLength = new Uint8Array(1024);
  #arena = Buffer.alloc(64 * 1024);
  #arenaEnd = 0;
  /** Slots of the session table: the current session, and the one that becomes current with its first uplink. */
  #current = new Int32Array(1024);
  #pending = new Int32Array(1024);

  get size(): number {
    return this.#index.size;
  }

  /** The device's number, or -1. */
  find(devEui: string): number {
    return this.#index.get(euiHigh(devEui), euiLow(devEui));
  }

  add({ device, devEui, joinEui, application, deviceId }: NewDevice): void {
    this.#grow(device + 1);
    const e = this.#euis;
    e[4 * device] = euiHigh(devEui);
    e[4 * device + 1] = euiLow(devEui);
    if (joinEui !== null) {
      e[4 * device + 2] = euiHigh(joinEui);
      e[4 * device + 3] = euiLow(joinEui);
    }
    this.#flags[device] = flag.present | (joinEui === null ? 0 : flag.joinEui);
    this.#application[device] = application;
    this.#keepId(device, deviceId);
    this.#current[device] = none;
    this.#pending[device] = none;
    this.#index.set(e[4 * device] as number, e[4 * device + 1] as number, device);
  }

  /** Its text stays in the arena until the next start. */
  remove(device: number): void {
    this.#index.delete(this.#euis[4 * device] as number, this.#euis[4 * device + 1] as number);
    this.#flags[device] = 0;
  }

  has(device: number): boolean {
    return (this.#flags[device] ?? 0) !== 0;
  }
  application(device: number): number {
    return this.#application[device] as number;
  }
  deviceId(device: number): string {
    const at = this.#idAt[device] as number;
    return this.#arena.toString("latin1", at, at + (this.#idLength[device] as number));
  }
  devEui(device: number): string {
    return lowerEui(this.#euis[4 * device] as number, this.#euis[4 * device + 1] as number);
  }
  joinEui(device: number): string | undefined {
    if (!this.hasJoinEui(device)) return undefined;
    return lowerEui(this.#euis[4 * device + 2] as number, this.#euis[4 * device + 3] as number);
  }
  hasJoinEui(device: number): boolean {
    return ((this.#flags[device] ?? 0) & flag.joinEui) !== 0;
  }
  /** High and low halves of the EUIs, for the messages. */
  euiWord(device: number, word: 0 | 1 | 2 | 3): number {
    return this.#euis[4 * device + word] as number;
  }
  current(device: number): number {
    return this.#current[device] as number;
  }
  pending(device: number): number {
    return this.#pending[device] as number;
  }
  setSessions(device: number, current: number, pending: number): void {
    this.#current[device] = current;
    this.#pending[device] = pending;
  }

  #keepId(device: number, deviceId: string): void {
    if (this.#arenaEnd + deviceId.length > this.#arena.length) {
      const grown = Buffer.alloc(2 * this.#arena.length);
      grown.set(this.#arena);
      this.#arena = grown;
    }
    this.#idAt[device] = this.#arenaEnd;
    this.#idLength[device] = deviceId.length;
    this.#arenaEnd += this.#arena.write(deviceId, this.#arenaEnd, "latin1");
  }

  #grow(rows: number): void {
    this.#flags = withRoom(this.#flags, rows);
    this.#euis = withRoom(this.#euis, rows, 4);
    this.#application = withRoom(this.#application, rows);
    this.#idAt = withRoom(this.#idAt, rows);
    this.#idLength = withRoom(this.#idLength, rows);
    this.#current = withRoom(this.#current, rows);
    this.#pending = withRoom(this.#pending, rows);
  }
}
