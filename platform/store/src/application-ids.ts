import type { Role } from "@trefoil/wire";

/** `PRAGMA application_id` of each server's store: four ASCII octets, so that no server opens another's file. */
export const applicationIds: { readonly [role in Role]: number } = {
  "gateway-server": 0x54664753, // "TfGS"
  "network-server": 0x54664e53, // "TfNS"
  "application-server": 0x54664153, // "TfAS"
  "join-server": 0x54664a53, // "TfJS"
  vault: 0x54665654, // "TfVT"
};

export const roleOfApplicationId = (id: number): Role | undefined =>
  (Object.keys(applicationIds) as Role[]).find((role) => applicationIds[role] === id);
