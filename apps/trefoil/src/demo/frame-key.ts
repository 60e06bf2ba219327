/**
 * Names an uplink by what is readable on the air, DevAddr and the low 16 bits of FCnt, so that what a gateway heard can be
 * matched with what the application got, without any key.
 */

/** Of a PHYPayload in hex; undefined for anything but a data uplink (TS001 §4.1: MType 010 or 100). */
export function keyOfFrame(phyPayload: string): string | undefined {
  const type = Number.parseInt(phyPayload.slice(0, 2), 16) >> 5;
  if ((type !== 2 && type !== 4) || phyPayload.length < 24) return undefined;
  const octet = (i: number) => phyPayload.slice(2 * i, 2 * i + 2);
  return `${octet(4)}${octet(3)}${octet(2)}${octet(1)}/${Number.parseInt(octet(7) + octet(6), 16)}`;
}

/** Of what the application got. */
export const keyOfMessage = (devAddr: string, fCnt: number) => `${devAddr.toLowerCase()}/${fCnt & 0xffff}`;
