/** GPS time, as DeviceTimeAns and beacons carry it (TS001-1.0.4 §5.9): it has no leap seconds. */
const gpsEpochMs = Date.UTC(1980, 0, 6);
/** GPS is ahead of UTC by this since 2017-01-01; no later leap second has been announced. */
const leapMs = 18_000;

export const gpsMsOfUnixMs = (unixMs: number): number => unixMs - gpsEpochMs + leapMs;
