import { spawnSync } from "node:child_process";
import { Key, makeSealer, makeSealingKeyPair, parseReceiver } from "@trefoil/custody";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../commands/output.ts";
import type { NewDevice, RowResult } from "../commands/provision.ts";
import { readRows } from "./formats.ts";
import { batchSize, importDevices } from "./import.ts";
import type { FailedRow, ImportDefaults, ImportRow } from "./rows.ts";

const defaults = { applicationId: "app", macVersion: "1.0.4", region: "EU868" } as const;
const key = "000102030405060708090A0B0C0D0E0F";
const octets = [...Array(16).keys()];

/** In pieces of `size`, so that every reader meets every break. */
async function* pieces(text: string, size = 7) {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}
async function rowsOf(text: string, size?: number, more: Partial<ImportDefaults> = {}): Promise<ImportRow[]> {
  const rows: ImportRow[] = [];
  for await (const row of readRows(pieces(text, size), { ...defaults, ...more })) rows.push(row);
  return rows;
}
const codes = (rows: readonly ImportRow[]) => rows.map((row) => (row.ok ? "ok" : row.code));
const eui = (n: number) => n.toString(16).padStart(16, "0");

describe("The Things Stack's CSV", () => {
  test("columns in any order, either separator, either line ending, quotes, a byte order mark, unknown columns", async () => {
    for (const text of [
      `name;app_key;dev_eui;join_eui;lorawan_version;id\n;${key};0011223344556677;70B3D57ED0000001;MAC_V1_0_3;one`,
      `name,app_key,dev_eui,join_eui,lorawan_version,id\r\n"a, ""b""\n2nd",${key},00-11-22-33-44-55-66-77,70B3D57ED0000001,1.0.3,one\r\n`,
      `\r\n \nname;app_eui;"app_key";dev_eui;lorawan_version;id;;\n\n; "70B3D57ED0000001";${key};0011223344556677;1.0.3;one;;`,
    ]) {
      const [row, ...more] = await rowsOf(text);
      expect(more).toEqual([]);
      expect(row).toMatchObject({
        ok: true,
        device: {
          deviceId: "one",
          devEui: "0011223344556677",
          joinEui: "70b3d57ed0000001",
          macVersion: "1.0.3",
          lastJoinNonce: 65_536,
          origin: "file",
        },
        remarks: ["join-nonce-unknown", "dev-nonces-unknown"],
      });
      expect(row?.ok && row.device.keys.get("AppKey")?.expose((found) => [...found])).toEqual(octets);
    }
  });

  test("a device without an id is called by its DevEUI", async () => {
    expect((await rowsOf(`dev_eui;join_eui;app_key\n0011223344556677;70B3D57ED0000001;${key}`))[0]).toMatchObject({
      device: { deviceId: "eui-0011223344556677" },
    });
  });

  test("one bad row does not stop the rest; each says on which line it is and why", async () => {
    const good = (n: number) => `${eui(n)};70B3D57ED0000001;${key};`;
    const rows = await rowsOf(
      [
        "dev_eui;join_eui;app_key;name",
        good(1),
        `xyz;70B3D57ED0000001;${key};`,
        `${eui(2)};70B3D57ED0000001;${key}FF;`,
        `${eui(3)};70B3D57ED0000001`,
        `${eui(4)};;${key};`,
        `${eui(5)};70B3D57ED0000001;;`,
        `${eui(6)};70B3D57ED0000001;${key};"never closed`,
        good(7),
        `${eui(8)};70B3D57ED0000001;${key};"two\nlines"`,
        `${eui(9)};70B3D57ED0000001;${key};;more`,
        good(10),
      ].join("\n"),
    );
    expect(rows.map((row) => [row.line, row.ok ? "ok" : row.code])).toEqual([
      [2, "ok"],
      [3, "input/eui"],
      [4, "import/key"],
      [5, "import/columns"],
      [6, "import/join-eui"],
      [7, "import/no-keys"],
      [8, "import/csv"],
      [9, "ok"],
      [10, "ok"],
      [12, "import/columns"],
      [13, "ok"],
    ]);
  });

  test("no message repeats a value: in a shifted row it may be a key", async () => {
    const columns = [
      "dev_eui",
      "join_eui",
      "id",
      "lorawan_version",
      "dev_addr",
      "app_s_key",
      "f_nwk_s_int_key",
      "last_f_cnt_up",
    ];
    for (const shifted of columns) {
      const values = { dev_eui: eui(1), join_eui: eui(2), dev_addr: "26000001", app_s_key: "x", f_nwk_s_int_key: key };
      const row = columns.map((name) =>
        name === shifted ? `${key}${key}` : ((values as Record<string, string>)[name] ?? ""),
      );
      const rows = await rowsOf(`${columns.join(";")}\n${row.join(";")}`);
      expect(rows[0]?.ok).toBe(false);
      expect(JSON.stringify(rows).toUpperCase()).not.toContain(key);
    }
  });

  test("a session makes a personalised device", async () => {
    const [row] = await rowsOf(
      `dev_eui;dev_addr;app_s_key;f_nwk_s_int_key;last_f_cnt_up\n0011223344556677;26000001;${key};${key};41`,
    );
    expect(row).toMatchObject({ ok: true, device: { abp: { devAddr: "26000001", fCntUp: 41 } } });
    expect(row).toMatchObject({ remarks: ["counters-unknown"] }); // no downlink counter
  });

  test("a Join Server alone takes no personalised device", async () => {
    const text = `dev_eui;dev_addr;app_s_key;f_nwk_s_int_key\n0011223344556677;26000001;${key};${key}`;
    expect(await rowsOf(text, 99, { alone: true })).toMatchObject([{ ok: false, code: "import/personalised" }]);
  });

  test.each([
    ["nothing", "", "import/empty"],
    ["spaces alone", " \n \n", "import/empty"],
    ["a CSV of something else", "date;price\n1;2", "import/format"],
    ["a column twice", "dev_eui;app_key;app_key\n", "import/format"],
    ["binary", "\u0000\u0001\u0002", "import/format"],
  ])("%s is not a file of devices", async (_, text, code) => {
    await expect(rowsOf(text)).rejects.toMatchObject({ code });
  });

  test("a line without end costs one row and no memory", async () => {
    async function* endless() {
      yield `dev_eui;join_eui;app_key\n${eui(1)};${eui(2)};${key}\n`;
      for (let i = 0; i < 40; i++) yield `"${"x".repeat(65_536)}`;
      yield `"\n${eui(3)};${eui(2)};${key}\n`;
    }
    const found: string[] = [];
    for await (const row of readRows(endless(), defaults)) found.push(row.ok ? "ok" : row.code);
    expect(found[0]).toBe("ok");
    expect(found.at(-1)).toBe("ok");
    expect(found.slice(1, -1).every((code) => ["import/csv", "import/columns"].includes(code))).toBe(true);
    expect(found.length).toBeLessThan(20);
  });
});

describe("The Things Stack's JSON", () => {
  const device = (n: number, more: object = {}) => ({
    ids: { device_id: `dev-${n}`, dev_eui: eui(n).toUpperCase(), join_eui: "70B3D57ED0000001" },
    lorawan_version: "MAC_V1_1",
    frequency_plan_id: "US_902_928_FSB_2",
    supports_join: true,
    root_keys: { app_key: { key }, nwk_key: { key } },
    used_dev_nonces: [1, 2],
    last_dev_nonce: 2,
    last_join_nonce: 7,
    last_rj_count_0: 3,
    last_rj_count_1: 4,
    name: 'with "quotes" and } braces { [ \\',
    ...more,
  });

  test("objects one after another, or in an array, with their join history", async () => {
    for (const text of [
      `${JSON.stringify(device(1), null, 2)}\n${JSON.stringify(device(2))}`,
      JSON.stringify([device(1), device(2)], null, 1),
    ]) {
      const rows = await rowsOf(text);
      expect(rows).toHaveLength(2);
      expect(rows[1]).toMatchObject({
        ok: true,
        remarks: [],
        device: {
          deviceId: "dev-2",
          macVersion: "1.1",
          region: "US915",
          usedDevNonces: [1, 2],
          lastJoinNonce: 7,
          rjCount0: 3,
          rjCount1: 4,
        },
      });
    }
  });

  test("a joining device whose root keys are not in the file is no personalised one, though it has a session", async () => {
    const session = { dev_addr: "26000001", keys: { app_s_key: { key }, f_nwk_s_int_key: { key } } };
    const rows = await rowsOf(
      JSON.stringify(device(1, { session, root_keys: undefined })) + JSON.stringify(device(2, { session })),
    );
    expect(rows).toMatchObject([
      { ok: false, code: "import/no-keys" },
      { ok: true, remarks: ["session-left-behind"] },
    ]);
  });

  test("bad objects cost their own row: wrong JSON, too deep, too long, out of range, wrapped, stray text, cut off", async () => {
    const deep = `${'{"a":'.repeat(100)}1${"}".repeat(100)}`;
    const rows = await rowsOf(
      [
        JSON.stringify(device(1)),
        '{"ids": nonsense}',
        deep,
        JSON.stringify(device(2, { description: "x".repeat(300_000) })),
        JSON.stringify(device(3, { last_join_nonce: 2 ** 24 })),
        JSON.stringify(device(4, { used_dev_nonces: [1, "2"] })),
        JSON.stringify(device(5, { root_keys: { app_key: { encrypted_key: "AAAA", kek_label: "k" } } })),
        'stray "text"',
        JSON.stringify(device(6)),
        '{"__proto__": {"ids": {}}}',
        '{"ids": {"dev_eui": "00',
      ].join("\n"),
      4_096,
    );
    expect(codes(rows)).toEqual([
      "ok",
      "import/json",
      "import/json",
      "import/json",
      "import/history",
      "import/history",
      "import/wrapped",
      "import/json",
      "ok",
      "input/eui",
      "import/json",
    ]);
    expect(rows.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(rows[6]).toMatchObject({ devEui: eui(5) });
  });

  test("an array that is cut off between two devices says so", async () => {
    expect(codes(await rowsOf(JSON.stringify([device(1), device(2)]).slice(0, -1)))).toEqual([
      "ok",
      "ok",
      "import/json",
    ]);
  });
});

describe("Microchip's manifest: it has no root keys, and each row says where they are", () => {
  const entry = (element: object) => ({
    payload: Buffer.from(JSON.stringify(element)).toString("base64url"),
    protected: "e30",
    header: { uniqueId: "01238ebe20080bd527" },
    signature: "AAAA",
  });
  /** As in elements of the B generation: the DevEUI is the second part of the common name. */
  const certificate = (commonName: string) => {
    const args = [
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      "/dev/null",
      "-outform",
      "DER",
    ];
    const made = spawnSync("openssl", ["req", "-x509", ...args, "-subj", `/O=Test/CN=${commonName}`]);
    return made.stdout.toString("base64");
  };
  const octetsOf = (text: string) => Buffer.from(text, "latin1").toString("base64");
  const element = (more: object) => ({
    version: 1,
    partNumber: "ATECC608A-MAHT3",
    uniqueId: "01238ebe20080bd527",
    ...more,
  });

  test("an element with keys in another Join Server, one with keys encrypted for another, one without any", async () => {
    const rows = await rowsOf(
      JSON.stringify([
        entry(element({ publicKeySet: { keys: [{ x5c: [octetsOf("0\u0016eui64_0004A310001AA90A0")] }] } })),
        entry(element({ publicKeySet: { keys: [{ x5c: [certificate("sn0123 0004A310001FF9DA ATECC")] }] } })),
        entry(element({ encryptedSecretKeySet: { keys: [{ ciphertext: "AAAA" }] } })),
        entry(element({ partNumber: "ATECC608A-MAH22" })),
        entry([]),
        { payload: "!!", signature: "AAAA" },
      ]),
    );
    expect(rows).toMatchObject([
      { ok: false, code: "import/keys-elsewhere", devEui: "0004a310001aa90a", message: expect.stringContaining("27") },
      { ok: false, code: "import/keys-elsewhere", devEui: "0004a310001ff9da" },
      { ok: false, code: "import/keys-encrypted" },
      { ok: false, code: "import/keys-elsewhere", message: expect.stringContaining("no LoRaWAN root keys") },
      { ok: false },
      { ok: false, code: "import/manifest" },
    ]);
  });
});

describe("an export of Trefoil", () => {
  const receiver = parseReceiver(makeSealingKeyPair().published.publicKey) ?? expect.unreachable();
  using sealer = makeSealer(receiver);
  const joinEui = "70b3d57ed0000001";
  const sealed = (n: number) => sealer.seal([{ key: new Key("AppKey", new Uint8Array(16)), devEui: eui(n), joinEui }]);

  test("keys stay sealed as they came, with provision and history", async () => {
    const provision = { publicKey: "AAAA", signature: "BBBB" };
    const [first, second, third] = [sealed(1), sealed(2), sealed(3)];
    const rows = await rowsOf(
      JSON.stringify({
        format: "trefoil-export-1",
        to: receiver.fingerprint,
        devices: [
          {
            devEui: eui(1),
            joinEui,
            macVersion: "1.0.3",
            sealed: first,
            provision,
            usedDevNonces: [5],
            lastJoinNonce: 9,
          },
          { devEui: eui(2), joinEui, sealed: second },
          { devEui: eui(3), joinEui, sealed: { ...third, version: 2 } },
          { devEui: eui(4), joinEui, sealed: third, provision: {} },
          { devEui: eui(5), joinEui, sealed: third, rjCount1: -1 },
          { devEui: "no", joinEui, sealed: third },
        ],
      }),
    );
    expect(rows[0]).toMatchObject({
      ok: true,
      device: { macVersion: "1.0.3", sealed: first, provision, usedDevNonces: [5], lastJoinNonce: 9 },
    });
    expect(rows[0]?.ok && rows[0].device.origin).toBeUndefined();
    expect(rows[1]).toMatchObject({ ok: true, device: { lastJoinNonce: 65_536 } });
    const elsewhere = { format: "trefoil-export-1", devices: [{ devEui: eui(1), joinEui, sealed: first }] };
    expect(codes(await rowsOf(JSON.stringify(elsewhere), 99, { vault: "00".repeat(32) }))).toEqual([
      "sealed/other-vault",
    ]);
    expect(codes(rows).slice(2)).toEqual(["sealed/malformed", "import/provision", "import/history", "import/eui"]);
  });
});

test("whatever the file is, it is rows, or a mistake that a person can read; and no row says a key", async () => {
  const words = [
    "dev_eui",
    "app_key",
    "join_eui",
    ";",
    ",",
    "\n",
    "\r\n",
    '"',
    "{",
    "}",
    "[",
    "]",
    ":",
    "\\\\",
    key,
    eui(7),
  ];
  const text = fc
    .array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 6 })))
    .map((parts) => parts.join(""));
  const starts = fc.constantFrom(
    "",
    "dev_eui;join_eui;app_key\n",
    '{"ids":',
    "[",
    '{"format":"trefoil-export-1","devices":[',
  );
  await fc.assert(
    fc.asyncProperty(starts, text, fc.integer({ min: 1, max: 40 }), async (start, rest, size) => {
      try {
        for (const row of await rowsOf(start + rest, size)) {
          if (row.ok) continue;
          expect(JSON.stringify(row).toUpperCase()).not.toContain(key);
        }
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        expect(error.message.toUpperCase()).not.toContain(key);
      }
    }),
    { numRuns: 1_000 },
  );
});

describe("the import", () => {
  async function* many(count: number): AsyncGenerator<ImportRow> {
    for (let n = 0; n < count; n++)
      yield* await rowsOf(`dev_eui;join_eui;app_key\n${eui(n)};70B3D57ED0000001;${key}`, 200);
  }
  const ok: RowResult = { ok: true };

  test("goes in batches, in order; what the servers refuse is said with its row; keys are wiped", async () => {
    const created: NewDevice[][] = [];
    const failed: FailedRow[] = [];
    const report = await importDevices(many(batchSize + 3), {
      create: async (devices) => {
        created.push([...devices]);
        return devices.map(({ devEui }) =>
          devEui === eui(2) ? { ok: false, code: "device/exists", message: "it exists" } : ok,
        );
      },
      onFailed: (row) => failed.push(row),
    });
    expect(created.map((batch) => batch.length)).toEqual([batchSize, 3]);
    expect(report).toMatchObject({ rows: batchSize + 3, imported: batchSize + 2 });
    expect(report.failed).toEqual([{ row: 3, line: 2, devEui: eui(2), code: "device/exists", message: "it exists" }]);
    expect(failed).toEqual(report.failed);
    expect(report.notes[0]).toContain("65,536");
    expect(created[0]?.[0]?.keys.get("AppKey")?.expose((found) => [...found])).toEqual(Array(16).fill(0));
  });

  test("the second of two rows with one DevEUI is refused", async () => {
    const rows = (async function* () {
      yield* many(2);
      yield* many(1);
    })();
    const report = await importDevices(rows, { create: async (devices) => devices.map(() => ok) });
    expect(report).toMatchObject({
      imported: 2,
      failed: [{ row: 3, code: "import/duplicate", message: "row 1 has the same DevEUI" }],
    });
  });

  test("never reads further than one batch ahead of what is created: a file of any size needs the memory of one", async () => {
    let read = 0;
    let created = 0;
    let ahead = 0;
    async function* counted() {
      for (let n = 0; n < 5 * batchSize; n++) {
        read++;
        ahead = Math.max(ahead, read - created);
        yield {
          line: n,
          ok: true,
          remarks: [],
          device: { devEui: eui(n), keys: new Map() } as unknown as NewDevice,
        } as const;
      }
    }
    await importDevices(counted(), {
      create: async (devices) => {
        created += devices.length;
        return devices.map(() => ok);
      },
    });
    expect(created).toBe(5 * batchSize);
    expect(ahead).toBe(batchSize);
  });
});
