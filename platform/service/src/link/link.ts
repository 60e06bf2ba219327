/** What a link is to those who use it, and its limits. */
import { Fault } from "@trefoil/store";
import type { Peer } from "./tls.ts";

export type LinkLimits = {
  /** Unanswered requests of this side, and their octets. More are refused at once with `link/overloaded`. */
  readonly mostRequests: number;
  readonly mostOctets: number;
  /** After this silence a ping is sent; after twice as much the link is given up. */
  readonly pingMs: number;
  readonly timeoutMs: number;
};
export const linkLimits: LinkLimits = {
  mostRequests: 1024,
  mostOctets: 64 * 1024 * 1024,
  pingMs: 5_000,
  timeoutMs: 30_000,
};

export type RequestOptions = { readonly timeoutMs?: number };

export type Link = {
  readonly peer: Peer;
  /** The peer's answer. Rejects with `Fault`: the refusal's own code, or link/timeout, link/lost, link/overloaded, link/too-large. */
  request<Answer = unknown>(method: string, body: unknown, options?: RequestOptions): Promise<Answer>;
  /** Unanswered requests of this side. */
  readonly waiting: { readonly requests: number; readonly octets: number };
  /** Resolves with the reason's code. */
  readonly closed: Promise<string>;
  close(reason?: string): void;
};

/** Asked by either side of every link. */
export const pingMethod = "link.ping";

export const down = (role: string) => new Fault("link/down", `there is no link to the ${role} at the moment`);
