/** The versions of LoRaWAN that devices speak. */
export const macVersions = ["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.1"] as const;
export type MacVersion = (typeof macVersions)[number];
