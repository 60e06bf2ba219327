/** Version differences as named questions: the only place that compares versions. */
export const macVersions = ["1.0.3", "1.0.4", "1.1"] as const;
export type MacVersion = (typeof macVersions)[number];
export type VersionRules = {
  /** DevNonce counts and survives power loss; JoinNonce must rise. TS001-1.0.4 §6.2.4, TS001-1.1 §6.2.2 */
  readonly devNonceIsCounter: boolean;
  /** A jump of FCntDown beyond this is refused. TS001-1.0.3 §4.3.1.5; later versions dropped it. */
  readonly maxFCntGap: number;
  /** 15 in LinkADRReq keeps what is. TS001-1.0.4 §5.2 */
  readonly linkAdr15Keeps: boolean;
  /** Two root keys, split MIC, encrypted FOpts, two downlink counters, RekeyInd. TS001-1.1 */
  readonly splitKeys: boolean;
  /** Retries of a confirmed frame step the data rate down every second time. TS001-1.0.3 §18.4 */
  readonly retriesSlowDown: boolean;
};
const unlimited = 2 ** 32;
export const rules: { readonly [version in MacVersion]: VersionRules } = {
  "1.0.3": {
    devNonceIsCounter: false,
    maxFCntGap: 16384,
    linkAdr15Keeps: false,
    splitKeys: false,
    retriesSlowDown: true,
  },
  "1.0.4": {
    devNonceIsCounter: true,
    maxFCntGap: unlimited,
    linkAdr15Keeps: true,
    splitKeys: false,
    retriesSlowDown: false,
  },
  "1.1": { devNonceIsCounter: true, maxFCntGap: 16384, linkAdr15Keeps: true, splitKeys: true, retriesSlowDown: false },
};
