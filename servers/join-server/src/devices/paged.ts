/** Long lists come in pages: `?after=&limit=`. */
export type Paged = { readonly after?: string; readonly limit?: string };

/** Unless the call says otherwise: more than a terminal shows, less than a process should hold as one text. */
const defaultLimit = 100_000;

export function limitOf({ limit }: Paged, most = defaultLimit): number {
  const asked = Number(limit ?? most);
  return Number.isInteger(asked) && asked > 0 ? Math.min(asked, most) : most;
}
