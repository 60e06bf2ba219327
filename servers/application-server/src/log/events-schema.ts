/** The schema of `Events` (platform/wire/src/application-link.ts). */
import Type from "typebox";

const text = Type.String({ maxLength: 256 });
const hex = (digits: number) => Type.String({ pattern: `^[0-9a-f]{${digits}}$` });
const count = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
const time = Type.Integer({ minimum: 0, maximum: 8.64e15 });

const common = { id: text, devEui: hex(16), devAddr: hex(8), sessionKeyId: text, at: time };
const RxMetadata = Type.Object({
  gateway: hex(16),
  gatewayId: text,
  rssi: Type.Number(),
  snr: Type.Optional(Type.Number()),
  channel: Type.Optional(Type.Integer()),
  antenna: Type.Optional(Type.Integer()),
  concentratorTime: Type.String({ pattern: "^[0-9]{1,20}$" }),
  gpsTimeMs: Type.Optional(Type.Number()),
  receivedAt: time,
  trust: text,
  location: Type.Optional(
    Type.Object({ latitude: Type.Number(), longitude: Type.Number(), altitude: Type.Optional(Type.Number()) }),
  ),
});
const Uplink = Type.Object({
  ...common,
  is: Type.Literal("uplink"),
  fCntUp: count,
  fPort: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
  frmPayload: Type.String({ maxLength: 340 }),
  confirmed: Type.Boolean(),
  hz: count,
  dataRate: Type.Union([Type.String({ maxLength: 16 }), count]),
  codingRate: Type.Optional(Type.String({ maxLength: 16 })),
  airtimeMs: Type.Number({ minimum: 0 }),
  rxMetadata: Type.Array(RxMetadata, { maxItems: 1024 }),
});
const Join = Type.Object({
  ...common,
  is: Type.Literal("join"),
  joinEui: hex(16),
  /** Judged by whoever opens it: one envelope that is wrong must not hold up a batch. */
  appSKey: Type.Object({ kekLabel: Type.Unknown(), aesKey: Type.Unknown() }),
});
const queued = { ...common, queueId: text, fCntDown: count };
const Downlink = Type.Union([
  Type.Object({ ...queued, is: Type.Literal("downlink.sent"), gatewayId: text }),
  Type.Object({ ...queued, is: Type.Literal("downlink.acknowledged") }),
  Type.Object({ ...queued, is: Type.Literal("downlink.not-acknowledged") }),
  Type.Object({ ...queued, is: Type.Literal("downlink.invalidated"), reason: text }),
  Type.Object({ ...queued, is: Type.Literal("downlink.failed"), reason: text }),
]);

export const EventsSchema = Type.Object({
  sequence: Type.Integer({ minimum: 0 }),
  events: Type.Array(Type.Union([Uplink, Join, Downlink]), { maxItems: 20_000 }),
});
