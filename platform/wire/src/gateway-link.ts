/**
 * gateway-server ⇄ network-server. The gateway-server connects; either side asks.
 *
 * gateway-server asks:  `uplinks`    Uplinks → {}          answered when every reception has met its fate (claimed, refused)
 *                       `gateways`   GatewayStates → {}    which gateways are connected, after each change and on connecting
 * network-server asks:  `transmit`   Transmit → Transmitted
 */

/** "SF7BW125" for LoRa, a bit rate in bit/s for FSK, "M0CW137" for LR-FHSS: as in Semtech's `datr`. */
export type DataRateName = string | number;

/** How sure one can be that a message came from the gateway it names. */
export type LinkTrust = "none" | "server-tls" | "token" | "mutual-tls";

/** One gateway's hearing of one frame. Binary in base64; EUIs in 16 lower-case hex digits. */
export type Reception = {
  readonly gateway: string;
  readonly phyPayload: string;
  readonly hz: number;
  readonly dataRate: DataRateName;
  readonly codingRate?: string;
  /** 64-bit concentrator time in microseconds, decimal. Opaque to the network-server: it comes back in `transmit`. */
  readonly concentratorTime: string;
  /** dBm and dB. */
  readonly rssi: number;
  readonly snr?: number;
  readonly channel?: number;
  readonly antenna?: number;
  /** GPS time in milliseconds since the GPS epoch, from gateways that know it. */
  readonly gpsTimeMs?: number;
  /** Milliseconds since the Unix epoch, by the gateway-server's clock, when the datagram arrived. */
  readonly receivedAt: number;
  readonly trust: LinkTrust;
};
export type Uplinks = { readonly receptions: readonly Reception[] };

export type GatewayState = {
  readonly gateway: string;
  readonly gatewayId: string;
  readonly connected: boolean;
  readonly trust: LinkTrust;
  readonly location?: { readonly latitude: number; readonly longitude: number; readonly altitude?: number };
};
export type GatewayStates = { readonly gateways: readonly GatewayState[] };

/** One chance to be heard. `delayUs` counts from the reception's concentrator time. */
export type Window = {
  readonly delayUs: number;
  readonly hz: number;
  readonly dataRate: DataRateName;
  readonly codingRate: string;
  /** EIRP in dBm that the region allows here; the gateway-server subtracts the antenna gain. */
  readonly eirpDbm: number;
};
export type Priority = "join-accept" | "class-a" | "class-b" | "class-c";
export type Transmit = {
  readonly gateway: string;
  readonly phyPayload: string;
  readonly concentratorTime: string;
  /** In order of preference (RX1, RX2). The gateway-server takes the first that is free and legal, and the next when the gateway refuses. */
  readonly windows: readonly Window[];
  readonly priority: Priority;
};
/** `window` is the index that was used. Refused codes: gateway/unknown, gateway/not-connected, schedule/too-late, schedule/too-early, schedule/conflict, schedule/duty-cycle, schedule/frequency, schedule/data-rate, gateway/COLLISION_PACKET … (as in TX_ACK), gateway/no-tx-ack. */
export type Transmitted =
  | { readonly result: "transmitted"; readonly window: number; readonly confirmedByGateway: boolean }
  | { readonly result: "refused"; readonly code: string };
