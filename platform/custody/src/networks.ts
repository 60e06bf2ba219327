/** Networks, application servers and JoinEUI ranges as text: how they are compared, printed and checked. */
import type { JoinEuiRange, NetworkId } from "@trefoil/wire";

/** "000013", or "000013/<NSID>" where several networks share a NetID. Two NetworkIds are the same when their texts are. */
export const networkText = ({ netId, nsId }: NetworkId): string => (nsId === undefined ? netId : `${netId}/${nsId}`);

/** EUIs of 16 digits in lower case sort as the numbers that they are. */
export const isInRange = ({ first, last }: JoinEuiRange, joinEui: string): boolean =>
  first <= joinEui && joinEui <= last;

export const isNetId = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{6}$/.test(value);
export const isAsId = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 128 && /^[\x21-\x7e]+$/.test(value);
