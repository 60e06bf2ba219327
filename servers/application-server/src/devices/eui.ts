/** EUIs as two 32-bit halves: what the columns hold and the index is keyed by. */

/** Eight hex digits of `text` from `at`. The caller has checked that they are digits; letters may be of either case. */
function word(text: string, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const code = text.charCodeAt(i);
    value = (value << 4) | ((code & 15) + (code >> 6) * 9);
  }
  return value >>> 0;
}
export const euiHigh = (eui: string): number => word(eui, 0);
export const euiLow = (eui: string): number => word(eui, 8);

export const lowerEui = (high: number, low: number): string =>
  high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
