/**
 * Who serves which device, from the owner's assignment statements. The vault decides by it at every join; the join server reads the same
 * statements to answer strangers early. A device's own statement outranks ranges, a smaller range a larger one. A million devices
 * cost some hundred megabytes: the key of each is 16 characters.
 */
import type { AssignmentStatement, DeviceId, JoinEuiRange, NetworkId } from "@trefoil/wire";
import { isInRange, networkText } from "./networks.ts";

export type Assigned = { readonly network: NetworkId; readonly asId: string };
type Standing = { readonly issuedAt: number; readonly to: Assigned | undefined };
type Range = JoinEuiRange & { readonly size: bigint; readonly standing: Standing };

export type Assignments = {
  /** One that is earlier than what stands about any of its subjects, or of the same time and different, changes nothing and is `older`. */
  readonly take: (statement: AssignmentStatement) => "taken" | "same" | "older";
  /** What `take` would answer. */
  readonly judge: (statement: AssignmentStatement) => "new" | "same" | "older";
  /** Whether it still decides about any of its subjects. */
  readonly stands: (statement: AssignmentStatement) => boolean;
  /** `undefined`: nobody's. */
  readonly of: (device: DeviceId) => Assigned | undefined;
};

export function makeAssignments(): Assignments {
  const devices = new Map<string, Standing>();
  let ranges: readonly Range[] = []; // the smallest first; of equal ones the later

  const rangeOf = ({ first, last }: JoinEuiRange) =>
    ranges.find((range) => range.first === first && range.last === last);

  function judge({ devices: own, joinEuis, network, asId, issuedAt }: AssignmentStatement): "new" | "same" | "older" {
    const standing =
      joinEuis === undefined
        ? (own ?? []).map((device) => devices.get(deviceKey(device)))
        : [rangeOf(joinEuis)?.standing];
    const isSame = (one: Standing | undefined) =>
      one?.issuedAt === issuedAt && textOf(one.to) === textOf(targetOf(network, asId));
    if (standing.every(isSame)) return "same";
    return standing.some((one) => (one?.issuedAt ?? -1) >= issuedAt) ? "older" : "new";
  }

  function take(statement: AssignmentStatement): "taken" | "same" | "older" {
    const verdict = judge(statement);
    if (verdict !== "new") return verdict;
    const { devices: own, joinEuis, network, asId, issuedAt } = statement;
    const standing: Standing = { issuedAt, to: targetOf(network, asId) };
    if (joinEuis === undefined) {
      for (const device of own ?? []) devices.set(deviceKey(device), standing);
      return "taken";
    }
    const same = rangeOf(joinEuis);
    const size = BigInt(`0x${joinEuis.last}`) - BigInt(`0x${joinEuis.first}`);
    ranges = [...ranges.filter((range) => range !== same), { ...joinEuis, size, standing }].sort(
      (a, b) => Number(a.size > b.size) - Number(a.size < b.size) || b.standing.issuedAt - a.standing.issuedAt,
    );
    return "taken";
  }

  return {
    take,
    judge,
    stands: ({ devices: own, joinEuis, issuedAt }) =>
      joinEuis === undefined
        ? (own ?? []).some((device) => devices.get(deviceKey(device))?.issuedAt === issuedAt)
        : rangeOf(joinEuis)?.standing.issuedAt === issuedAt,
    of: (device) =>
      (devices.get(deviceKey(device)) ?? ranges.find((range) => isInRange(range, device.joinEui))?.standing)?.to,
  };
}

const targetOf = (network: NetworkId | undefined, asId: string | undefined): Assigned | undefined =>
  network === undefined || asId === undefined ? undefined : { network, asId };
const textOf = (to: Assigned | undefined): string => (to === undefined ? "" : `${networkText(to.network)} ${to.asId}`);

/** A device as a short key of maps: one character for each octet of both EUIs. */
export const deviceKey = ({ devEui, joinEui }: DeviceId): string =>
  Buffer.from(joinEui + devEui, "hex").toString("latin1");
