/**
 * Who serves which device, from the owner's assignment statements. The vault decides by it at every join; the join server reads the same
 * statements to answer strangers early. A device's own statement outranks ranges, a smaller range a larger one. A million devices
 * cost some hundred megabytes: the key of each is 16 characters.
 */
import type { AssignmentStatement, DeviceId, JoinEuiRange, NetworkId } from "@trefoil/wire";
import { isInRange } from "./networks.ts";

export type Assigned = { readonly network: NetworkId; readonly asId: string };
type Standing = { readonly issuedAt: number; readonly to: Assigned | undefined };
type Range = JoinEuiRange & { readonly size: bigint; readonly standing: Standing };

export type Assignments = {
  /** An earlier one, or one of the same time about any subject of this, changes nothing and is `older`. */
  readonly take: (statement: AssignmentStatement) => "taken" | "older";
  /** `undefined`: nobody's. */
  readonly of: (device: DeviceId) => Assigned | undefined;
};

export function makeAssignments(): Assignments {
  const devices = new Map<string, Standing>();
  let ranges: readonly Range[] = []; // the smallest first; of equal ones the later

  function take({ devices: own, joinEuis, network, asId, issuedAt }: AssignmentStatement): "taken" | "older" {
    const to = network === undefined || asId === undefined ? undefined : { network, asId };
    const standing: Standing = { issuedAt, to };
    if (joinEuis === undefined) {
      const keys = (own ?? []).map(keyOf);
      if (keys.some((key) => (devices.get(key)?.issuedAt ?? -1) >= issuedAt)) return "older";
      for (const key of keys) devices.set(key, standing);
      return "taken";
    }
    const isSame = ({ first, last }: Range) => first === joinEuis.first && last === joinEuis.last;
    if ((ranges.find(isSame)?.standing.issuedAt ?? -1) >= issuedAt) return "older";
    const size = BigInt(`0x${joinEuis.last}`) - BigInt(`0x${joinEuis.first}`);
    ranges = [...ranges.filter((range) => !isSame(range)), { ...joinEuis, size, standing }].sort(
      (a, b) => Number(a.size > b.size) - Number(a.size < b.size) || b.standing.issuedAt - a.standing.issuedAt,
    );
    return "taken";
  }

  return {
    take,
    of: (device) =>
      (devices.get(keyOf(device)) ?? ranges.find((range) => isInRange(range, device.joinEui))?.standing)?.to,
  };
}

/** One character for each octet of both EUIs. */
const keyOf = ({ devEui, joinEui }: DeviceId): string => Buffer.from(joinEui + devEui, "hex").latin1Slice();
