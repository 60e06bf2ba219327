/**
 * NetID and DevAddr: which addresses a network may give out, and which networks an address may belong to.
 * A DevAddr is type prefix ‖ NwkID ‖ NwkAddr. Types 3 to 7 keep only the low bits of the NetID's ID in it, so that
 * several networks share an address block.
 *
 * Spec: TS002-1.1 §14 (NetID and DevAddr assignment)
 */
import { type DevAddr, devAddrFromNumber, devAddrToNumber, type NetId, netIdToNumber } from "./identifiers.ts";

/** Row = type. The prefix is `type` ones and a zero. NwkAddr takes what the two leave of 32 bits. */
const types = [
  { prefixBits: 1, nwkIdBits: 6, netIdIdBits: 6 },
  { prefixBits: 2, nwkIdBits: 6, netIdIdBits: 6 },
  { prefixBits: 3, nwkIdBits: 9, netIdIdBits: 9 },
  { prefixBits: 4, nwkIdBits: 11, netIdIdBits: 21 },
  { prefixBits: 5, nwkIdBits: 12, netIdIdBits: 21 },
  { prefixBits: 6, nwkIdBits: 13, netIdIdBits: 21 },
  { prefixBits: 7, nwkIdBits: 15, netIdIdBits: 21 },
  { prefixBits: 8, nwkIdBits: 17, netIdIdBits: 21 },
] as const;
export type NetIdType = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export const netIdType = (netId: NetId): NetIdType => (netIdToNumber(netId) >> 21) as NetIdType;

/** First and last DevAddr of the network's block, as numbers; `size` addresses in all. */
export type DevAddrRange = { readonly first: number; readonly last: number; readonly size: number };

export function devAddrRange(netId: NetId): DevAddrRange {
  const type = netIdType(netId);
  const { prefixBits, nwkIdBits } = types[type];
  const nwkAddrBits = 32 - prefixBits - nwkIdBits;
  const prefix = 2 ** prefixBits - 2; // ones, then the zero that ends them
  const nwkId = netIdToNumber(netId) % 2 ** nwkIdBits;
  const size = 2 ** nwkAddrBits;
  const first = prefix * 2 ** (32 - prefixBits) + nwkId * size;
  return { first, last: first + size - 1, size };
}

/** The address at `index` of the network's block. Throws RangeError outside it. */
export function devAddrOf(netId: NetId, index: number): DevAddr {
  const { first, size } = devAddrRange(netId);
  if (!Number.isInteger(index) || index < 0 || index >= size)
    throw new RangeError(`NetID ${netId} has ${size} addresses`);
  return devAddrFromNumber(first + index);
}

/** Whether a device of that network may have this address. With types 3 to 7 others may, too. */
export function mayBelongTo(devAddr: DevAddr, netId: NetId): boolean {
  const { first, last } = devAddrRange(netId);
  const address = devAddrToNumber(devAddr);
  return address >= first && address <= last;
}

/** What an address tells: the NetID's type, the low bits of its ID, and how many NetIDs share the block. Undefined for the unassigned prefix 0xFF. */
export type DevAddrOwner = {
  readonly type: NetIdType;
  readonly nwkId: number;
  readonly sharedBy: number;
  readonly netIds: () => Iterable<number>;
};

export function devAddrOwner(devAddr: DevAddr): DevAddrOwner | undefined {
  const address = devAddrToNumber(devAddr);
  const type = Math.clz32(~address | 0);
  const row = types[type];
  if (!row) return undefined;
  const { prefixBits, nwkIdBits, netIdIdBits } = row;
  const nwkId = Math.floor(address / 2 ** (32 - prefixBits - nwkIdBits)) % 2 ** nwkIdBits;
  const sharedBy = 2 ** (netIdIdBits - nwkIdBits);
  return {
    type: type as NetIdType,
    nwkId,
    sharedBy,
    /** All NetIDs (as numbers) that a device with this address may be of, lowest first. */
    *netIds() {
      for (let high = 0; high < sharedBy; high++) yield type * 2 ** 21 + high * 2 ** nwkIdBits + nwkId;
    },
  };
}
