/**
 * Who may hold what, where (DESIGN §2), as the table that the proof is checked against. What is not listed is forbidden. The supervisor is
 * a process too: it starts everything and may hold nothing; what lies beside the servers' folders counts as its.
 */
import { type Role, roles } from "@trefoil/wire";

export const kinds = [
  "root key",
  "GenAppKey",
  "join server key",
  "network session key",
  "AppSKey",
  "network KEK",
  "application KEK",
  "storage key",
  "master key",
  "vault's private key",
  "passphrase",
  "payload",
] as const;
export type Kind = (typeof kinds)[number] | "key envelope";

export const holders = ["supervisor", ...roles, "virtual devices"] as const satisfies readonly (
  | Role
  | "supervisor"
  | "virtual devices"
)[];
export type Holder = (typeof holders)[number];

/** Where copies are looked for. `messages`: what a process sent or got, in clear; `log`: what it wrote to its standard output and error. */
export const places = ["memory", "files", "messages", "log"] as const;
export type Place = (typeof places)[number];

type Grant = { readonly [place in Place]?: readonly Kind[] };

const everyKey = kinds.filter((kind) => kind !== "payload");

const grants: { readonly [holder in Holder]: Grant } = {
  supervisor: {},
  "gateway-server": {},
  "network-server": {
    memory: ["network session key", "network KEK"],
    files: ["network session key", "network KEK"],
  },
  "application-server": {
    memory: ["AppSKey", "application KEK", "payload"],
    files: ["AppSKey", "application KEK", "payload"],
    // Applications get and give payloads; nobody is ever sent a key.
    messages: ["payload"],
  },
  "join-server": {},
  // What it works on, for as long as it works on it. At rest all of it is encrypted; by default the passphrase lies beside it.
  vault: { memory: everyKey, files: ["passphrase"] },
  // The devices of the proof: the other end of every session.
  "virtual devices": {
    memory: ["root key", "GenAppKey", "join server key", "network session key", "AppSKey", "payload"],
  },
};

export const mayHold = (holder: Holder, kind: Kind, place: Place): boolean =>
  kind === "key envelope" || (grants[holder][place]?.includes(kind) ?? false);

/** Whether it may hold such a thing anywhere. */
export const mayHoldAtAll = (holder: Holder, kind: Kind): boolean =>
  places.some((place) => mayHold(holder, kind, place));

/** Who opens envelopes with which KEK: the vault makes them, the receiver opens them, nobody else may have both. */
export const receiverOf: { readonly [kek in Kind]?: Holder } = {
  "network KEK": "network-server",
  "application KEK": "application-server",
};

/** What must be found, or the search itself is blind: these processes keep these for as long as a session lasts, or as they run. */
export const mustBeFound: readonly (readonly [Holder, Kind, Place])[] = [
  ["network-server", "network session key", "memory"],
  ["network-server", "network KEK", "files"],
  ["application-server", "AppSKey", "memory"],
  ["application-server", "application KEK", "files"],
  ["application-server", "payload", "messages"],
  ["join-server", "key envelope", "messages"],
  ["network-server", "key envelope", "messages"],
  ["virtual devices", "root key", "memory"],
];
