/** A fingerprint as people compare it: plain hexadecimal in sixteen groups of four, "c113 a946 … a24b". */
export function showFingerprint(fingerprint: string): string {
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw new RangeError("a fingerprint has 64 hex digits in lower case");
  return fingerprint.match(/.{4}/g)?.join(" ") ?? "";
}
