/**
 * The frame of a link between two servers: mutual TLS 1.3, then length-prefixed JSON.
 *
 *   u32be length of what follows ‖ u8 kind ‖ u32be id ‖ UTF-8 JSON
 *
 * Either side may ask. Answers may come in any order; `id` is the asker's own. A frame over the limit, an unknown kind
 * or JSON that does not parse closes the link.
 */
export const maxFrameOctets = 16 * 1024 * 1024;
export const frameKind = { request: 1, answer: 2, refusal: 3 } as const;

/** Body of a request frame. */
export type LinkRequest = { readonly method: string; readonly body: unknown };
/** Body of a refusal frame: `code` and public fields only, never an error's own message. */
export type LinkRefusal = { readonly code: string; readonly retry: "now" | "later" | "never" };
