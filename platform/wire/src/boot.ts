/**
 * What passes between the supervisor and a process that it started, on Node's IPC channel. No secret ever does.
 *
 * Order: child `preloaded` (all code and worker threads are loaded, still as the supervisor's user) → supervisor `boot` →
 * child drops to `identity`, opens its data folder and sockets → child `ready` or `failed` → … → supervisor `stop` →
 * child ends with exit code 0. A lost IPC channel means that the supervisor is gone: the child stops.
 */
import type { Role } from "./roles.ts";

export type Address = { readonly host: string; readonly port: number };

export type Boot<Config = unknown> = {
  readonly boot: {
    readonly role: Role;
    /** Absolute path of this server's own folder, mode 0700, owned by `identity` when given. */
    readonly dataDir: string;
    /** The user to become. Absent where the supervisor may not choose users: all run as one, and the first screen says so. */
    readonly identity?: { readonly uid: number; readonly gid: number };
    /** This server's section of the configuration, validated, defaults filled in, and the shared `network` section. */
    readonly config: Config;
    /** Where the servers that this one may call listen. */
    readonly peers: { readonly [role in Role]?: Address };
    /** The vault may be several processes; 0 is the first, and the only one that takes statements in. */
    readonly instance?: number;
    readonly logLevel: "trace" | "debug" | "info" | "warn" | "error";
  };
};

export type ToChild = Boot | { readonly stop: true } | { readonly vaultPipe: true; readonly instance: number }; // carries a socket handle
export type FromChild =
  | { readonly preloaded: true }
  /** Names of listeners ("udp", "link", "mqtt", "interop", "http") and where they really listen. */
  | { readonly ready: { readonly listeners: { readonly [name: string]: Address } } }
  /** `retry: "never"` is for what only a person can mend (a port in use, a store from a newer version). */
  | { readonly failed: { readonly code: string; readonly message: string; readonly retry: "later" | "never" } };
