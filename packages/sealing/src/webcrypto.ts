/**
 * The one thing of the surroundings that this package uses. Unlike the rest of packages/ it makes randomness itself: a
 * transport key that a caller could choose would be a transport key that a caller could choose badly.
 */
// biome-ignore lint/style/noRestrictedGlobals: WebCrypto is this package's subject, and comes through this file alone
export const { subtle } = crypto;

/** A key that WebCrypto holds. */
export type HeldKey = InstanceType<typeof CryptoKey>;
