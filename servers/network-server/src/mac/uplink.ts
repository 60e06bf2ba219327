/** MAC commands of an uplink: read, and the network's answers encoded. */
import {
  cryptFOpts,
  cryptFrmPayload,
  type DataUp,
  decodeUplinkCommands,
  parseDataRate,
  type UplinkCommand,
} from "@trefoil/lorawan";
import { flag } from "../sessions/session-table.ts";
import type { State } from "../state.ts";
import type { Heard } from "../uplink/merge.ts";
import { answerCommands, linkMargin } from "./answers.ts";
import { gpsMsOfUnixMs } from "./gps-time.ts";

export type CommandsHeard<From> = {
  readonly frame: DataUp;
  /** The best one first. */
  readonly heard: readonly Heard<From>[];
  readonly slot: number;
  readonly fCntUp: number;
};

/** A gateway's GPS time is believed when it agrees with the server's clock this well; it is the more exact one. */
const gpsToleranceMs = 1_000;
const nothing = new Uint8Array(0);

/** The encoded answers to the MAC commands of the frame. */
export function answerMac<From>(uplink: CommandsHeard<From>, state: State): Uint8Array {
  const { slot } = uplink;
  const commands = macCommands(uplink, state);
  if (commands.length === 0) return nothing;
  for (const { name } of commands) state.metrics.macCommands.inc({ command: name });
  const { reception } = uplink.heard[0] as Heard<From>;
  const rate = parseDataRate(reception.dataRate, reception.codingRate);
  const answers = answerCommands(commands, {
    rules: state.sessions.rules(slot),
    joined: state.sessions.table.is(slot, flag.joined),
    marginDb: linkMargin(reception.snr, rate?.modulation === "LoRa" ? rate.sf : undefined),
    gateways: new Set(uplink.heard.map((one) => one.reception.gateway)).size,
    gpsTimeMs: gpsTimeOf(uplink.heard),
  });
  return Buffer.concat(answers);
}

/** FOpts, encrypted in 1.1, or the payload of FPort 0 (TS001-1.0.4 §5). */
function macCommands<From>(
  { frame, slot, fCntUp }: CommandsHeard<From>,
  { sessions }: State,
): readonly UplinkCommand[] {
  if (frame.fPort !== 0 && frame.fOpts.length === 0) return [];
  const devAddr = sessions.table.columns.devAddr[slot] as number;
  if (frame.fPort === 0) {
    const key = sessions.schedule(slot, "NwkSEncKey");
    return decodeUplinkCommands(cryptFrmPayload(key, "up", devAddr, fCntUp, frame.frmPayload)).commands;
  }
  if (!sessions.rules(slot).encryptsFOpts) return decodeUplinkCommands(frame.fOpts).commands;
  const key = sessions.schedule(slot, "NwkSEncKey");
  return decodeUplinkCommands(cryptFOpts(key, "FCntUp", devAddr, fCntUp, frame.fOpts)).commands;
}

function gpsTimeOf<From>(heard: readonly Heard<From>[]): number {
  const own = gpsMsOfUnixMs((heard[0] as Heard<From>).reception.receivedAt);
  const exact = heard.find(
    ({ reception: { gpsTimeMs } }) => gpsTimeMs !== undefined && Math.abs(gpsTimeMs - own) < gpsToleranceMs,
  );
  return exact?.reception.gpsTimeMs ?? own;
}
