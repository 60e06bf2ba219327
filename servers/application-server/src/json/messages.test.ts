import type { RxMetadata } from "@trefoil/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { downlinkFailedJson, downlinkJson, type EndDevice, joinJson, type Uplink, uplinkJson } from "./messages.ts";
import { parseDataRate, timestampOf } from "./settings.ts";
import { duration, gpsToUnixMs, quote, rfc3339, sessionKeyIdText } from "./text.ts";

const device: EndDevice = {
  applicationId: "parking",
  deviceId: "bay-7",
  devEui: "0004A30B001C0530",
  joinEui: "800000000000000C",
};

const rx: RxMetadata = {
  gateway: "0016c001ff10a235",
  gatewayId: "roof",
  rssi: -57,
  snr: 9.5,
  channel: 2,
  antenna: 1,
  concentratorTime: "18446744073709551615",
  gpsTimeMs: 1_449_316_818_000,
  receivedAt: 1_764_000_000_007,
  trust: "none",
  location: { latitude: 52.1, longitude: 4.3, altitude: 23.6 },
};
const uplink: Uplink = {
  is: "uplink",
  id: "7-3",
  devEui: "0004a30b001c0530",
  devAddr: "26011cf1",
  sessionKeyId: "0123456789abcdef0123456789abcdef",
  at: 1_764_000_000_250,
  fCntUp: 42,
  fPort: 2,
  frmPayload: "",
  confirmed: true,
  hz: 868_300_000,
  dataRate: "SF7BW125",
  codingRate: "4/5",
  airtimeMs: 56.576,
  rxMetadata: [rx],
};

/** The same message built as an object and stringified: what is absent, zero, false or empty is left out at the end, as proto3 JSON does. */
function reference(up: Uplink, frmPayload: string, receivedAt: number): unknown {
  const time = ({ gpsTimeMs }: RxMetadata) =>
    gpsTimeMs === undefined ? undefined : new Date(gpsTimeMs + Date.UTC(1980, 0, 6) - 18_000).toISOString();
  const first = up.rxMetadata[0];
  return withoutEmpty({
    end_device_ids: {
      device_id: device.deviceId,
      application_ids: { application_id: device.applicationId },
      dev_eui: device.devEui,
      join_eui: device.joinEui,
      dev_addr: up.devAddr.toUpperCase(),
    },
    correlation_ids: [up.id],
    received_at: new Date(receivedAt).toISOString(),
    uplink_message: {
      session_key_id: Buffer.from(up.sessionKeyId, "hex").toString("base64"),
      f_port: up.fPort,
      f_cnt: up.fCntUp,
      frm_payload: frmPayload,
      rx_metadata: up.rxMetadata.map((one) => ({
        gateway_ids: { gateway_id: one.gatewayId, eui: one.gateway.toUpperCase() },
        antenna_index: one.antenna,
        time: time(one),
        timestamp: Number(BigInt(one.concentratorTime) % 4294967296n),
        rssi: one.rssi,
        channel_rssi: one.rssi,
        snr: one.snr,
        location: one.location && {
          latitude: one.location.latitude,
          longitude: one.location.longitude,
          altitude: one.location.altitude === undefined ? undefined : Math.round(one.location.altitude),
          source: "SOURCE_REGISTRY",
        },
        channel_index: one.channel,
        gps_time: time(one),
        received_at: new Date(one.receivedAt).toISOString(),
      })),
      settings: {
        data_rate: parseDataRate(up.dataRate, up.codingRate),
        frequency: `${up.hz}`,
        timestamp: first && Number(BigInt(first.concentratorTime) % 4294967296n),
        time: first && time(first),
      },
      received_at: new Date(up.at).toISOString(),
      confirmed: up.confirmed,
      consumed_airtime: up.airtimeMs > 0 ? duration(up.airtimeMs) : undefined,
      network_ids: { net_id: "000013" },
    },
  });
}

function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([, v]) => !(v === undefined || v === 0 || v === "" || v === false || (Array.isArray(v) && v.length === 0)),
  );
  return Object.fromEntries(kept.map(([name, v]) => [name, withoutEmpty(v)]));
}

const eui = fc.stringMatching(/^[0-9a-f]{16}$/);
const optional = <K extends string, T>(name: K, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((v) => (v === undefined ? {} : ({ [name]: v } as { [k in K]: T })));
const merged = (...parts: fc.Arbitrary<object>[]) => fc.tuple(...parts).map((all) => Object.assign({}, ...all));
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const anyRx = merged(
  fc.record({
    gateway: eui,
    gatewayId: fc.string({ minLength: 1, maxLength: 12 }),
    rssi: fc.integer({ min: -140, max: 0 }),
    concentratorTime: fc.bigInt({ min: 0n, max: 18446744073709551615n }).map(String),
    receivedAt: time,
    trust: fc.constant("none"),
  }),
  optional(
    "snr",
    fc.integer({ min: -40, max: 40 }).map((tenths) => tenths / 4),
  ),
  optional("channel", fc.integer({ min: 0, max: 80 })),
  optional("antenna", fc.integer({ min: 0, max: 3 })),
  optional("gpsTimeMs", fc.integer({ min: 1_000_000_000_000, max: 1_700_000_000_000 })),
  optional("location", fc.constant({ latitude: 0, longitude: -4.25, altitude: 12 })),
) as fc.Arbitrary<RxMetadata>;
const anyUplink = merged(
  fc.record({
    is: fc.constant("uplink"),
    id: fc.string({ maxLength: 20 }),
    devEui: fc.constant("0004a30b001c0530"),
    devAddr: fc.stringMatching(/^[0-9a-f]{8}$/),
    sessionKeyId: fc.stringMatching(/^[0-9a-f]{32}$/),
    at: time,
    fCntUp: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff })),
    frmPayload: fc.constant(""),
    confirmed: fc.boolean(),
    hz: fc.integer({ min: 400_000_000, max: 930_000_000 }),
    dataRate: fc.constantFrom("SF12BW125", "SF7BW250", "M0CW137", "M1CW335", 50_000),
    airtimeMs: fc.integer({ min: 0, max: 3_000_000 }).map((micros) => micros / 1000),
    rxMetadata: fc.array(anyRx, { maxLength: 3 }),
  }),
  optional("fPort", fc.integer({ min: 1, max: 223 })),
  optional("codingRate", fc.constantFrom("4/5", "1/3")),
) as fc.Arbitrary<Uplink>;

describe("messages of The Things Stack v3", () => {
  test("an uplink, as compat.md §1 has it", () => {
    const text = uplinkJson(device, uplink, "AQID", 1_764_000_000_300, "000013");
    expect(JSON.parse(text)).toEqual({
      end_device_ids: {
        device_id: "bay-7",
        application_ids: { application_id: "parking" },
        dev_eui: "0004A30B001C0530",
        join_eui: "800000000000000C",
        dev_addr: "26011CF1",
      },
      correlation_ids: ["7-3"],
      received_at: "2025-11-24T16:00:00.300Z",
      uplink_message: {
        session_key_id: "ASNFZ4mrze8BI0VniavN7w==",
        f_port: 2,
        f_cnt: 42,
        frm_payload: "AQID",
        rx_metadata: [
          {
            gateway_ids: { gateway_id: "roof", eui: "0016C001FF10A235" },
            antenna_index: 1,
            time: "2025-12-09T12:00:00.000Z",
            timestamp: 4294967295,
            rssi: -57,
            channel_rssi: -57,
            snr: 9.5,
            location: { latitude: 52.1, longitude: 4.3, altitude: 24, source: "SOURCE_REGISTRY" },
            channel_index: 2,
            gps_time: "2025-12-09T12:00:00.000Z",
            received_at: "2025-11-24T16:00:00.007Z",
          },
        ],
        settings: {
          data_rate: { lora: { bandwidth: 125000, spreading_factor: 7, coding_rate: "4/5" } },
          frequency: "868300000",
          timestamp: 4294967295,
          time: "2025-12-09T12:00:00.000Z",
        },
        received_at: "2025-11-24T16:00:00.250Z",
        confirmed: true,
        consumed_airtime: "0.056576s",
        network_ids: { net_id: "000013" },
      },
    });
  });

  test("the text of any uplink is what an object-built one says, and ASCII", () => {
    fc.assert(
      fc.property(anyUplink, fc.base64String({ maxLength: 40 }), time, (up, payload, at) => {
        const text = uplinkJson(device, up, payload, at, "000013");
        expect(JSON.parse(text)).toEqual(reference(up, payload, at));
        expect(text).toMatch(/^[\x20-\x7e]*$/);
      }),
    );
  });

  test("FSK and LR-FHSS data rates have their own members", () => {
    expect(parseDataRate(50_000)).toEqual({ fsk: { bit_rate: 50_000 } });
    expect(parseDataRate("M0CW137", "1/3")).toEqual({
      lrfhss: { operating_channel_width: 137_000, coding_rate: "1/3" },
    });
    expect(parseDataRate("M1CW336", "2/3")).toEqual({
      lrfhss: { modulation_type: 1, operating_channel_width: 336_000, coding_rate: "2/3" },
    });
    expect(parseDataRate("nonsense")).toEqual({});
  });

  test("a join", () => {
    const { joinEui, ...withoutJoinEui } = device;
    const text = joinJson(
      { ...withoutJoinEui, joinEui: undefined },
      { ...uplink, is: "join", joinEui: "", appSKey: { kekLabel: "", aesKey: "" } },
      0,
    );
    expect(joinEui).toBeDefined();
    expect(JSON.parse(text)).toEqual({
      end_device_ids: {
        device_id: "bay-7",
        application_ids: { application_id: "parking" },
        dev_eui: "0004A30B001C0530",
        dev_addr: "26011CF1",
      },
      correlation_ids: ["7-3"],
      received_at: "1970-01-01T00:00:00.000Z",
      join_accept: { session_key_id: "ASNFZ4mrze8BI0VniavN7w==", received_at: "2025-11-24T16:00:00.250Z" },
    });
  });

  test("downlinks: queued without, sent with session and counter; LOWEST and false are left out", () => {
    const content = {
      fPort: 15,
      frmPayload: "vu8=",
      confirmed: false,
      priority: "LOWEST",
      correlationIds: ["é"],
    } as const;
    const queued = JSON.parse(downlinkJson(device, { id: "q" }, 0, "downlink_queued", content));
    expect(queued.downlink_queued).toEqual({ f_port: 15, frm_payload: "vu8=", correlation_ids: ["é"] });
    expect(queued.end_device_ids).not.toHaveProperty("dev_addr");
    const counted = { sessionKeyId: "00ff", fCntDown: 9 };
    const sent = JSON.parse(
      downlinkJson(
        device,
        { id: "s", devAddr: "26011cf1" },
        0,
        "downlink_sent",
        { ...content, confirmed: true, priority: "HIGH" },
        counted,
      ),
    );
    expect(sent.downlink_sent).toEqual({
      session_key_id: "AP8=",
      f_port: 15,
      f_cnt: 9,
      frm_payload: "vu8=",
      confirmed: true,
      priority: "HIGH",
      correlation_ids: ["é"],
    });
  });

  test("a failed downlink says why", () => {
    const failed = (code: string) =>
      JSON.parse(downlinkFailedJson(device, { id: "f" }, 0, { fPort: 1 }, code)).downlink_failed;
    expect(failed("downlink/too-long")).toEqual({
      downlink: { f_port: 1 },
      error: {
        namespace: "trefoil/downlink",
        name: "too_long",
        message_format: "too long (downlink/too-long)",
        code: 3,
      },
    });
    expect(failed("session-ended").error).toMatchObject({ namespace: "trefoil/downlink", name: "session_ended" });
  });
});

describe("parts of JSON", () => {
  test("quote writes any text as ASCII that reads back the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(JSON.parse(quote(text))).toBe(text);
        expect(quote(text)).toMatch(/^[\x20-\x7e]*$/);
      }),
    );
  });

  test("rfc3339 agrees with Date", () => {
    fc.assert(
      fc.property(time, (ms) => {
        expect(rfc3339(ms)).toBe(new Date(ms).toISOString());
      }),
    );
  });

  test("what is no time, or no time of google.protobuf.Timestamp, has no text, and leaves the next one right", () => {
    for (const ms of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1e300,
      -1e300,
      8.64e15,
      253_402_300_800_000,
      -62_135_596_800_001,
    ])
      expect(rfc3339(ms)).toBeUndefined();
    expect(rfc3339(253_402_300_799_999)).toBe("9999-12-31T23:59:59.999Z");
    expect(rfc3339(-62_135_596_800_000)).toBe("0001-01-01T00:00:00.000Z");
    expect(rfc3339(0)).toBe("1970-01-01T00:00:00.000Z");
  });

  test("an uplink is told without the numbers that are no times and no durations", () => {
    const odd = { ...rx, gpsTimeMs: 1e300, receivedAt: 8.64e15 };
    const told = JSON.parse(
      uplinkJson(device, { ...uplink, at: 8.64e15, airtimeMs: 1e300, rxMetadata: [odd] }, "", 0, "000013"),
    );
    expect(told.received_at).toBe("1970-01-01T00:00:00.000Z");
    const up = told.uplink_message;
    expect(up.f_cnt).toBe(42);
    for (const name of ["received_at", "consumed_airtime"]) expect(up).not.toHaveProperty(name);
    for (const name of ["time", "gps_time", "received_at"]) expect(up.rx_metadata[0]).not.toHaveProperty(name);
    expect(up.settings).not.toHaveProperty("time");
  });

  test("durations have 0, 3, 6 or 9 decimals, as google.protobuf.Duration in JSON", () => {
    expect([56.576, 1000, 1.5, 0.001, 0.0000015, 2500].map(duration)).toEqual([
      "0.056576s",
      "1s",
      "0.001500s",
      "0.000001s",
      "0.000000002s",
      "2.500s",
    ]);
  });

  test("GPS time is 18 s ahead of UTC", () => {
    expect(gpsToUnixMs(18_000)).toBe(Date.UTC(1980, 0, 6));
  });

  test("the low 32 bits of a concentrator time, however long", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 18446744073709551615n }), (t) => {
        expect(timestampOf(String(t))).toBe(Number(t % 4294967296n));
      }),
    );
  });

  test("session key ids: octets where they are hex, else the text's", () => {
    expect(sessionKeyIdText("00ff")).toBe("AP8=");
    expect(sessionKeyIdText("abp-1")).toBe(Buffer.from("abp-1").toString("base64"));
  });
});
