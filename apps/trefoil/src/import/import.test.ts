import { describe, expect, test } from "vitest";
import { readCsv } from "./csv.ts";
import { readTtsJson } from "./tts-json.ts";

const defaults = { applicationId: "app", macVersion: "1.0.4", region: "EU868" } as const;
const key = "000102030405060708090A0B0C0D0E0F";

describe("The Things Stack's CSV", () => {
  test("columns in any order, either separator, quotes, a byte order mark, unknown columns", () => {
    for (const text of [
      `\uFEFFname;app_key;dev_eui;join_eui;lorawan_version;id\n;${key};0011223344556677;70B3D57ED0000001;MAC_V1_0_3;one`,
      `name,app_key,dev_eui,join_eui,lorawan_version,id\r\n"a, ""b""",${key},00-11-22-33-44-55-66-77,70B3D57ED0000001,1.0.3,one\r\n`,
    ]) {
      const [row] = readCsv(text, defaults);
      expect(row).toMatchObject({
        ok: true,
        device: {
          deviceId: "one",
          devEui: "0011223344556677",
          joinEui: "70b3d57ed0000001",
          macVersion: "1.0.3",
          lastJoinNonce: 65_536,
        },
      });
      expect(row?.ok && row.device.keys.get("AppKey")?.expose((octets) => [...octets])).toEqual([...Array(16).keys()]);
    }
  });

  test("a device without an id is called by its DevEUI", () => {
    expect(readCsv(`dev_eui;join_eui;app_key\n0011223344556677;70B3D57ED0000001;${key}`, defaults)[0]).toMatchObject({
      device: { deviceId: "eui-0011223344556677" },
    });
  });

  test("one bad row does not stop the rest, and no message repeats a key", () => {
    const bad = `${key}FF`;
    const rows = readCsv(
      `dev_eui;join_eui;app_key\nxyz;70B3D57ED0000001;${key}\n0011223344556677;70B3D57ED0000001;${bad}\n0011223344556678;70B3D57ED0000001;${key}`,
      defaults,
    );
    expect(rows.map((row) => (row.ok ? "ok" : row.code))).toEqual(["input/eui", "import/key", "ok"]);
    expect(JSON.stringify(rows)).not.toContain(key);
  });

  test("a session makes a personalised device", () => {
    const [row] = readCsv(
      `dev_eui;dev_addr;app_s_key;f_nwk_s_int_key;last_f_cnt_up\n0011223344556677;26000001;${key};${key};41`,
      defaults,
    );
    expect(row).toMatchObject({ ok: true, device: { abp: { devAddr: "26000001", fCntUp: 41 } } });
  });
});

test("The Things Stack's JSON: objects one after another, with their join history", () => {
  const device = (n: number) => ({
    ids: { device_id: `dev-${n}`, dev_eui: `001122334455660${n}`, join_eui: "70B3D57ED0000001" },
    lorawan_version: "MAC_V1_1",
    frequency_plan_id: "US_902_928_FSB_2",
    root_keys: { app_key: { key }, nwk_key: { key } },
    used_dev_nonces: [1, 2],
    last_dev_nonce: 2,
    last_join_nonce: 7,
    name: 'with "quotes" and } braces {',
  });
  const rows = readTtsJson(`${JSON.stringify(device(1), null, 2)}\n${JSON.stringify(device(2))}`, defaults);
  expect(rows).toHaveLength(2);
  expect(rows[1]).toMatchObject({
    ok: true,
    joinNonceKnown: true,
    device: { deviceId: "dev-2", macVersion: "1.1", region: "US915", usedDevNonces: [1, 2], lastJoinNonce: 7 },
  });
});
