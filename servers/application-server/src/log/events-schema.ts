/**
 * The schema of `Events` (platform/wire/src/application-link.ts). A batch that is refused holds up all that come after it, so it is
 * strict only where an event would be another's or could not be read; what decorates an uplink is judged by `tidy`.
 */
import Type from "typebox";

const text = Type.String({ maxLength: 256 });
const hex = (digits: number) => Type.String({ pattern: `^[0-9a-f]{${digits}}$` });
const count = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
const time = Type.Integer({ minimum: 0, maximum: 8.64e15 });

/** See `tidy`. */
const decoration = Type.Optional(Type.Unknown());

const common = { id: text, devEui: hex(16), devAddr: hex(8), sessionKeyId: text, at: time };
const RxMetadata = Type.Object({
  gateway: hex(16),
  gatewayId: text,
  rssi: decoration,
  snr: decoration,
  channel: decoration,
  antenna: decoration,
  concentratorTime: Type.String({ pattern: "^[0-9]{1,20}$" }),
  gpsTimeMs: decoration,
  receivedAt: time,
  trust: text,
  location: decoration,
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
  codingRate: decoration,
  airtimeMs: decoration,
  rxMetadata: Type.Array(RxMetadata, { maxItems: 1024 }),
});
const Join = Type.Object({
  ...common,
  is: Type.Literal("join"),
  joinEui: hex(16),
  /** Judged by whoever opens it: one envelope that is wrong must not hold up a batch. Absent: the join server is asked. */
  appSKey: Type.Optional(Type.Object({ kekLabel: Type.Unknown(), aesKey: Type.Unknown() })),
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
