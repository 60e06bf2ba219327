/** What a sealed key can be, and the lengths in octets that it may have (docs/sealed-key.md). */
export const keyLengths = {
  AppKey: [16],
  NwkKey: [16],
  GenAppKey: [16],
  NwkSKey: [16],
  FNwkSIntKey: [16],
  SNwkSIntKey: [16],
  NwkSEncKey: [16],
  AppSKey: [16],
  /** TS002 allows 128, 192 and 256 bits. */
  KEK: [16, 24, 32],
  /** A maker's, from which root keys are derived (LORA-KDF-1). */
  MasterKey: [32],
} as const satisfies { readonly [role: string]: readonly number[] };
export type SealedRole = keyof typeof keyLengths;

export const isSealedRole = (text: string): text is SealedRole => Object.hasOwn(keyLengths, text);
