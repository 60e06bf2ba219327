/** What a server says of itself, and what it is given. */
import type { Socket } from "node:net";
import type { Store, StoreDefinition } from "@trefoil/store";
import type { Address, Boot, Role } from "@trefoil/wire";
import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import type { ProcessConfig } from "../config/sections.ts";
import type { TlsMaterial } from "../link/tls.ts";
import type { Check } from "./http.ts";
import type { Log } from "./log.ts";

export type Definition<R extends Role, Hot extends string = never, Prepared = undefined> = {
  readonly role: R;
  /** The server's store.sqlite. */
  readonly store?: StoreDefinition<Hot>;
  /** Further worker threads and whatever else must load code: before the drop of rights. */
  readonly prepare?: () => Promise<Prepared>;
  /** `false`: no listeners at all, no administration (the vault). */
  readonly http?: false;
  readonly adminBodyLimit?: number;
  /** Opens files and sockets. What it throws is told to the supervisor. */
  start(ctx: Context<R, Hot, Prepared>): Promise<void> | void;
};

export type Context<R extends Role = Role, Hot extends string = string, Prepared = unknown> = {
  readonly role: R;
  readonly boot: Boot<ProcessConfig<R>>["boot"];
  readonly config: ProcessConfig<R>;
  /** Where the servers that this one may call listen. */
  readonly peers: { readonly [role in Role]?: Address };
  readonly dataDir: string;
  readonly log: Log;
  readonly metrics: Registry;
  /** Add routes: it listens when `start` has ended. GET /status is there already. */
  readonly admin: FastifyInstance;
  readonly store: Store<Hot>;
  readonly prepared: Prepared;
  /** Own key and certificate, CA, pinned peers; read at first use. */
  readonly tls: TlsMaterial;
  /** Tells a listener's real address, by its name in the configuration. */
  listening(name: string, address: Address): void;
  /** Shown by /readyz while it returns a sentence. */
  readiness(name: string, check: Check): void;
  /** A line of /healthz, while it returns a text: it changes nothing about whether the process is healthy. */
  healthNote(name: string, note: Check): void;
  /** Shown by GET /status. */
  fact(name: string, value: () => string | number | boolean): void;
  /** Runs at the end, the last registered first. */
  onStop(stop: () => Promise<void> | void): void;
  /** Ends the process with exit code 1, to be started again. */
  fail(error: unknown): void;
  /** join-server: the pipe to each process of the vault, now and after each of its restarts. */
  onVaultPipe(use: UseVaultPipe): void;
};

/** `instance`: which process of the vault is at the other end. */
export type UseVaultPipe = (pipe: Socket, instance: number) => void;
