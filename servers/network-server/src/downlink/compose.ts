/** The PHYPayload of a data downlink: FOpts encrypted where the version says so, signed. The counter has been reserved durably. */
import {
  cryptFOpts,
  type DataDown,
  devAddrFromNumber,
  encodePhyPayload,
  mic10,
  mic11Down,
  writeMic,
} from "@trefoil/lorawan";
import type { Sessions } from "../sessions/sessions.ts";

export type DownlinkContent = {
  readonly fCntDown: number;
  readonly confirmed: boolean;
  readonly ack: boolean;
  readonly fPending: boolean;
  readonly fOpts: Uint8Array;
  /** The application's payload, encrypted by the application-server. */
  readonly application?: { readonly fPort: number; readonly frmPayload: Uint8Array };
  /** The counter of the uplink that is acknowledged: 1.1 binds it into the MIC. */
  readonly fCntUp: number;
};

export function composeDownlink(sessions: Sessions, slot: number, content: DownlinkContent): Uint8Array {
  const { fCntDown, application } = content;
  const rules = sessions.rules(slot);
  const devAddr = sessions.table.columns.devAddr[slot] as number;
  const kind = application && rules.twoFCntDown ? "AFCntDown" : "NFCntDown";
  const fOpts = rules.encryptsFOpts
    ? cryptFOpts(sessions.schedule(slot, "NwkSEncKey"), kind, devAddr, fCntDown, content.fOpts)
    : content.fOpts;
  const frame: Omit<DataDown, "mic"> = {
    type: content.confirmed ? "ConfirmedDataDown" : "UnconfirmedDataDown",
    devAddr: devAddrFromNumber(devAddr),
    adr: false,
    rfu: false,
    ack: content.ack,
    fPending: content.fPending,
    fCnt: fCntDown % 0x10000,
    fOpts,
    fPort: application?.fPort,
    frmPayload: application?.frmPayload ?? new Uint8Array(0),
  };
  const phyPayload = encodePhyPayload(frame);
  const end = phyPayload.length - 4;
  const mic = rules.separateNetworkKeys
    ? mic11Down(sessions.schedule(slot, "SNwkSIntKey"), fCntDown, content.fCntUp, phyPayload, end)
    : mic10(sessions.schedule(slot, "FNwkSIntKey"), "down", fCntDown, phyPayload, end);
  writeMic(phyPayload, mic);
  return phyPayload;
}
