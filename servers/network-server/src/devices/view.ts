/** What an operator sees of a device: never a key. */
import type { Rejoin } from "../sessions/rejoins.ts";
import { flag } from "../sessions/session-table.ts";
import type { State } from "../state.ts";
import { type Device, euiOctets } from "./registry.ts";

export function viewDevice(device: Device, state: State) {
  const { sessions, downlinks } = state;
  const { table } = sessions;
  const { columns } = table;
  const { deviceId, ...shown } = device;
  const open = downlinks.get(deviceId);
  return {
    ...shown,
    sessions: table.ofDevice(euiOctets(device.devEui)).map((slot) => {
      const fCntUp = columns.fCntUp[slot] as number;
      return {
        devAddr: (columns.devAddr[slot] as number).toString(16).padStart(8, "0"),
        sessionKeyId: table.sessionKeyId(slot),
        macVersion: table.macVersion(slot),
        region: sessions.region(slot).name,
        isPending: table.is(slot, flag.pending),
        activation: table.is(slot, flag.joined) ? "OTAA" : "ABP",
        ...(fCntUp < 0 ? {} : { fCntUp }),
        nextFCntDown: sessions.rules(slot).twoFCntDown
          ? { nFCntDown: columns.nFCntDown[slot], aFCntDown: columns.aFCntDown[slot] }
          : { fCntDown: columns.nFCntDown[slot] },
        ...rejoins(sessions.rejoins.of(columns.sessionId[slot] as number)),
        rxDelay: columns.rxDelay[slot],
        rx1DrOffset: columns.rx1DrOffset[slot],
        rx2: { dataRate: columns.rx2DataRate[slot], hz: columns.rx2Hz[slot] },
      };
    }),
    ...(open
      ? { downlink: { queueId: open.queueId, state: open.state, fCntDown: open.fCntDown, confirmed: open.confirmed } }
      : {}),
  };
}

const rejoins = ({ rjCount0, isAsked }: Rejoin) => ({
  ...(rjCount0 < 0 ? {} : { rjCount0 }),
  ...(isAsked ? { expectsRejoin: true } : {}),
});
