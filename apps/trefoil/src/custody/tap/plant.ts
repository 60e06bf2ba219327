/** What a careless or hostile server would do with a key, done to order: only tests of the proof give orders. */
import { appendFileSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { type Plant, undisguise } from "./format.ts";

/** Copies that stay in memory: each on an allocation of its own. */
const kept: Uint8Array[] = [];

export function plantAll(plants: readonly Plant[]): void {
  for (const plant of plants) {
    const octets = undisguise(plant.disguised);
    switch (plant.in) {
      case "memory": {
        const copy = new Uint8Array(new ArrayBuffer(octets.length));
        copy.set(octets);
        kept.push(copy);
        break;
      }
      case "files":
        appendFileSync(plant.path, Buffer.concat([octets, Buffer.from("\n")]));
        break;
      case "log":
        writeSync(1, Buffer.concat([octets, Buffer.from("\n")]));
        break;
      case "messages": {
        const socket = connect(plant.port, "127.0.0.1");
        socket.on("error", () => undefined);
        socket.end(Buffer.concat([octets, Buffer.from("\r\n\r\n")]));
        break;
      }
    }
  }
}
