/** The parking lot as the application sees it: which bay is taken, from decrypted payloads only. */

/** Payload of a bay: state (bit 0 occupied) ‖ battery (0 to 254 of 254) ‖ temperature in tenths of a degree (signed, big-endian). */
export type BayReport = {
  readonly occupied: boolean;
  readonly heartbeat: boolean;
  readonly battery: number;
  readonly celsius: number;
};

export function decodeBay(payload: Uint8Array): BayReport | undefined {
  if (payload.length !== 4) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, 4);
  const state = view.getUint8(0);
  return {
    occupied: (state & 1) !== 0,
    heartbeat: (state & 2) !== 0,
    battery: view.getUint8(1) / 254,
    celsius: view.getInt16(2) / 10,
  };
}

export type Bay = {
  readonly deviceId: string;
  readonly joined: boolean;
  readonly last?: BayReport;
  readonly uplinks: number;
};
