/** Mosquitto's command-line clients, as an application that has never heard of Trefoil uses them (README, "Connect"). */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Demo, startDemo } from "../apps/trefoil/src/demo/demo.ts";
import { hasService } from "./services.ts";

type Ended = { readonly code: number; readonly out: string; readonly err: string };

describe.skipIf(!hasService("mosquitto_sub"))("a foreign MQTT client", () => {
  let demo: Demo;
  beforeAll(async () => {
    demo = await startDemo({
      log: () => undefined,
      onHopeless: (error) => {
        throw error;
      },
    });
  });
  afterAll(() => demo?.end());

  /** Runs mosquitto_sub or mosquitto_pub with the demo's credential, or with another password. */
  async function mosquitto(
    program: "mosquitto_sub" | "mosquitto_pub",
    args: readonly string[],
    password = demo.mqtt.password,
  ): Promise<Ended> {
    const { hostname, port } = new URL(demo.mqtt.url);
    const all = ["-h", hostname, "-p", port, "-u", demo.mqtt.username, "-P", password, "-q", "1", ...args];
    return promisify(execFile)(program, all).then(
      ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
      (error) => ({ code: error.code, out: error.stdout, err: error.stderr }),
    );
  }

  test("hears decrypted uplinks in The Things Stack's topics and JSON, and queues a downlink that is sent", async () => {
    const up = await mosquitto("mosquitto_sub", ["-t", "v3/parking-lot/devices/+/up", "-C", "1", "-W", "120"]);
    const { end_device_ids, uplink_message } = JSON.parse(up.out);
    expect(end_device_ids).toMatchObject({ application_ids: { application_id: "parking-lot" } });
    expect(Buffer.from(uplink_message.frm_payload, "base64").length).toBeGreaterThan(0);

    const device = `v3/parking-lot/devices/${end_device_ids.device_id}`;
    const queued = mosquitto("mosquitto_sub", ["-t", `${device}/down/queued`, "-C", "1", "-W", "60"]);
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // mosquitto_sub does not tell when it has subscribed
    const push = JSON.stringify({ downlinks: [{ f_port: 15, frm_payload: "vu8=", priority: "NORMAL" }] });
    expect(await mosquitto("mosquitto_pub", ["-t", `${device}/down/push`, "-m", push])).toMatchObject({ code: 0 });
    expect(JSON.parse((await queued).out).downlink_queued).toMatchObject({ f_port: 15, frm_payload: "vu8=" });
  });

  test("with a wrong password hears nothing", async () => {
    const { code, out } = await mosquitto("mosquitto_sub", ["-t", "#", "-C", "1", "-W", "10"], "wrong");
    expect({ refused: code !== 0, out }).toEqual({ refused: true, out: "" });
  });

  test("may not publish what only the network says", async () => {
    const listening = mosquitto("mosquitto_sub", ["-t", "v3/parking-lot/devices/forged/up", "-C", "1", "-W", "4"]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await mosquitto("mosquitto_pub", ["-t", "v3/parking-lot/devices/forged/up", "-m", "{}"]);
    expect((await listening).out).toBe("");
  });
});
