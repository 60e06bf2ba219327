/** CRC-16 in the two forms that LoRaWAN uses. */

/** Polynomial x^16 + x^12 + x^5 + 1, first value 0, most significant bit first: beacons (TS001-1.0.4 §13.2). */
export function crc16Beacon(octets: Uint8Array): number {
  let crc = 0;
  for (const octet of octets) {
    crc ^= octet << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/** Polynomial x^16 + x^15 + x^2 + 1, first value FFFF, least significant bit first ("Modbus"): QR codes (TR005). */
export function crc16QrCode(text: string): number {
  let crc = 0xffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}
