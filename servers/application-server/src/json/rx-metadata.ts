/** One `rx_metadata[]` entry of The Things Stack v3. */
import type { RxMetadata } from "@trefoil/wire";
import { timestampOf } from "./settings.ts";
import { asciiJson, gpsToUnixMs, quote, rfc3339, timeMember } from "./text.ts";

export function rxMetadataJson(rx: RxMetadata): string {
  const gps = rx.gpsTimeMs === undefined ? undefined : rfc3339(gpsToUnixMs(rx.gpsTimeMs));
  const timestamp = timestampOf(rx.concentratorTime);
  return `{"gateway_ids":{"gateway_id":${quote(rx.gatewayId)},"eui":${quote(rx.gateway.toUpperCase())}}${
    rx.antenna ? `,"antenna_index":${rx.antenna}` : ""
  }${gps === undefined ? "" : `,"time":"${gps}"`}${timestamp === 0 ? "" : `,"timestamp":${timestamp}`}${
    rx.rssi === 0 ? "" : `,"rssi":${rx.rssi},"channel_rssi":${rx.rssi}`
  }${rx.snr ? `,"snr":${rx.snr}` : ""}${rx.location === undefined ? "" : `,"location":${locationJson(rx.location)}`}${
    rx.channel ? `,"channel_index":${rx.channel}` : ""
  }${gps === undefined ? "" : `,"gps_time":"${gps}"`}${timeMember("received_at", rx.receivedAt)}}`;
}

/** A gateway's place is what its owner registered. */
function locationJson({ latitude, longitude, altitude }: NonNullable<RxMetadata["location"]>): string {
  return asciiJson({
    ...(latitude === 0 ? {} : { latitude }),
    ...(longitude === 0 ? {} : { longitude }),
    ...(altitude ? { altitude: Math.round(altitude) } : {}),
    source: "SOURCE_REGISTRY",
  });
}
