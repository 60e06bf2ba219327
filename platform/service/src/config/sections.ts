/**
 * Every setting there is: type, what is expected in words, default. docs/architecture.md §Configuration shows the same.
 * The leaves' `description` is what a message says was expected.
 */

import type { Role } from "@trefoil/wire";
import Type, { type Static, type TSchema } from "typebox";

const exact = { additionalProperties: false } as const;
const section = <P extends { [key: string]: TSchema }>(properties: P) => Type.Object(properties, exact);

const host = (value: string) =>
  Type.String({
    minLength: 1,
    maxLength: 253,
    pattern: "^[A-Za-z0-9.:_-]+$",
    default: value,
    description: "a host name or an address",
  });
const port = (value: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65535,
    default: value,
    description: "a port number from 0 to 65535 (0: any free one)",
  });
const address = (at: string, value: number) => section({ host: host(at), port: port(value) });
const integer = (minimum: number, maximum: number, value: number) =>
  Type.Integer({ minimum, maximum, default: value, description: `a whole number from ${minimum} to ${maximum}` });
const oneOf = <T extends string>(value: NoInfer<T>, ...values: T[]) =>
  Type.Enum(values, { default: value, description: `one of ${values.join(", ")}` });

/** May be left out: there is no default. */
const optional = (expected: string, pattern: string) => Type.Optional(Type.String({ pattern, description: expected }));
const file = () => optional("an absolute path, or credential:NAME", "^(/.+|credential:[A-Za-z0-9._-]+)$");

const keepEvents = integer(0, 1_000_000_000, 100_000);

export const regions = [
  "EU868",
  "US915",
  "EU433",
  "AU915",
  "CN470",
  "CN779",
  "AS923-1",
  "AS923-2",
  "AS923-3",
  "AS923-4",
  "KR920",
  "IN865",
  "RU864",
] as const;

export const LogConfig = section({
  level: oneOf("info", "trace", "debug", "info", "warn", "error"),
  format: oneOf("auto", "auto", "pretty", "json"),
});
export const NetworkConfig = section({
  netId: Type.String({
    pattern: "^[0-9a-fA-F]{6}$",
    default: "000000",
    description: "a NetID: 6 hex digits in quotation marks",
  }),
  nsId: optional("an NSID: 16 hex digits in quotation marks", "^[0-9a-fA-F]{16}$"),
  region: oneOf("EU868", ...regions),
  asId: Type.String({
    pattern: "^[A-Za-z0-9._-]{1,64}$",
    default: "trefoil-as",
    description: "an AS-ID: letters, digits, and . _ -, at most 64",
  }),
  allowUnverifiedRegion: Type.Boolean({ default: false, description: "true or false" }),
  /** How the application server gets an AppSKey: in the JoinAns, under its own KEK, or by asking the join server itself (AppSKeyReq). */
  appSKey: oneOf("join-ans", "join-ans", "app-s-key-req"),
});
export const UsersConfig = section({
  mode: oneOf("auto", "auto", "one"),
  firstId: integer(1, 2_000_000_000, 58_720),
});

const gatewayServer = {
  udp: address("0.0.0.0", 1700),
  http: address("127.0.0.1", 9701),
  unknownGateways: oneOf("refuse", "refuse", "accept"),
};
/** A Join Server of another owner, found by JoinEUI (TS002 §3). Its TLS key is pinned, or its certificate's CA named. */
const foreignJoinServer = Type.Object(
  {
    joinEuis: Type.Object(
      { first: Type.String({ pattern: "^[0-9a-fA-F]{16}$" }), last: Type.String({ pattern: "^[0-9a-fA-F]{16}$" }) },
      exact,
    ),
    url: Type.String({ pattern: "^https://[^\\s]+$" }),
    /** SHA-256 of its certificate's SubjectPublicKeyInfo, hex. */
    pin: Type.Optional(Type.String({ pattern: "^[0-9a-fA-F]{64}$" })),
    /** A file with certificates in PEM. */
    ca: Type.Optional(Type.String({ pattern: "^/.+$" })),
    /** Of TS002. Absent: 1.0. */
    protocolVersion: Type.Optional(Type.Enum(["1.0", "1.1"])),
  },
  exact,
);

const joinServers = Type.Array(foreignJoinServer, {
  maxItems: 1_000,
  default: [],
  description:
    'a list of { joinEuis: { first: "<JoinEUI>", last: "<JoinEUI>" }, url: https://…, pin: "<SHA-256 of its key>" } (or ca: /path instead of pin)',
});

const networkServer = {
  link: address("127.0.0.1", 9712),
  http: address("127.0.0.1", 9702),
  deduplicationWindowMs: integer(0, 2_000, 200),
  rxDelay: integer(1, 15, 1),
  keepEvents,
  joinServers,
};
const applicationServer = {
  link: address("127.0.0.1", 9713),
  mqtt: address("127.0.0.1", 1883),
  http: address("127.0.0.1", 9703),
  keepEvents,
  joinServers,
};
const joinServer = {
  interop: address("127.0.0.1", 8886),
  http: address("127.0.0.1", 9704),
  /** Under which servers of other owners reach it: in its certificate, when that is made. */
  hostNames: Type.Array(Type.String({ minLength: 1, maxLength: 253, pattern: "^[A-Za-z0-9.:-]+$" }), {
    maxItems: 50,
    default: [],
    description: "a list of host names or addresses",
  }),
  /** Join- and rejoin-requests taken, each kind of asker apart; 0: no limit. */
  limits: section({
    devicePerMinute: integer(0, 1_000_000, 60),
    joinEuiPerSecond: integer(0, 1_000_000, 5_000),
    peerPerSecond: integer(0, 1_000_000, 5_000),
  }),
};
const vault = {
  engine: oneOf("software", "software", "pkcs11"),
  /** Of the software engine, when not its own generated file. */
  passphraseFile: file(),
  processes: integer(1, 64, 1),
  pkcs11: section({
    module: optional("the absolute path of a PKCS #11 module (a shared library)", "^/.+$"),
    tokenLabel: optional("the label of a token, at most 32 characters", "^.{1,32}$"),
    pinFile: file(),
    /** For the module's own variables. A PIN never goes here. */
    environment: Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), Type.String({ maxLength: 4096 }), {
      additionalProperties: false,
      default: {},
      description:
        "names of the module's own variables and their values, such as { SOFTHSM2_CONF: /etc/softhsm2.conf }",
    }),
  }),
};

/** The configuration file. */
export const ConfigSchema = section({
  data: Type.String({ minLength: 1, default: "./trefoil-data", description: "the path of a folder" }),
  log: LogConfig,
  network: NetworkConfig,
  gatewayServer: section(gatewayServer),
  networkServer: section(networkServer),
  applicationServer: section(applicationServer),
  joinServer: section(joinServer),
  vault: section(vault),
  users: UsersConfig,
});
export type Config = Static<typeof ConfigSchema>;

/** What each process is booted with: its own section, and the shared `network` section. */
export const processSchemas = {
  "gateway-server": section({ ...gatewayServer, network: NetworkConfig }),
  "network-server": section({ ...networkServer, network: NetworkConfig }),
  "application-server": section({ ...applicationServer, network: NetworkConfig }),
  "join-server": section({ ...joinServer, network: NetworkConfig }),
  vault: section({ ...vault, network: NetworkConfig }),
} as const satisfies { readonly [role in Role]: TSchema };

export type ProcessConfig<R extends Role> = Static<(typeof processSchemas)[R]>;
export type GatewayServerConfig = ProcessConfig<"gateway-server">;
export type NetworkServerConfig = ProcessConfig<"network-server">;
export type ApplicationServerConfig = ProcessConfig<"application-server">;
export type JoinServerConfig = ProcessConfig<"join-server">;
export type VaultConfig = ProcessConfig<"vault">;
export type ForeignJoinServer = NetworkServerConfig["joinServers"][number];

/** Which section of the file a process has. */
export const sectionOf = {
  "gateway-server": "gatewayServer",
  "network-server": "networkServer",
  "application-server": "applicationServer",
  "join-server": "joinServer",
  vault: "vault",
} as const satisfies { readonly [role in Role]: keyof Config };

/** A process's part of the whole configuration. */
export function configFor<R extends Role>(config: Config, role: R): ProcessConfig<R> {
  return { ...config[sectionOf[role]], network: config.network } as ProcessConfig<R>;
}
