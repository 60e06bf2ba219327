/** What every server stands on: its life, links to others, health, logs, administration. */
export { Fault, type FaultDetails, type FaultFields, type Retry } from "@trefoil/store";
export type {
  ApplicationServerConfig,
  Config,
  ForeignJoinServer,
  GatewayServerConfig,
  JoinServerConfig,
  NetworkServerConfig,
  ProcessConfig,
} from "./config/sections.ts";
export { AdminRefusal } from "./life/admin.ts";
export type { Context, Definition, UseVaultPipe } from "./life/definition.ts";
export { type Check, listening } from "./life/http.ts";
export { becomeUser, type Identity } from "./life/identity.ts";
export { describeError, type Limited, type Log, rateLimited } from "./life/log.ts";
export { openVaultPipe, serve } from "./life/serve.ts";
export { type ConnectedLink, type ConnectOptions, connectLink } from "./link/connect.ts";
export { connectHttps, connectPinned, type HttpsClient } from "./link/https.ts";
export {
  type ConnectionRefused,
  type HttpsAnswer,
  type HttpsListener,
  type HttpsListenOptions,
  type HttpsRequest,
  listenHttps,
} from "./link/https-listen.ts";
export { connectJoinServers, type JoinServer, type JoinServers } from "./link/join-servers.ts";
export { type Link, type LinkLimits, linkLimits, type RequestOptions } from "./link/link.ts";
export { type LinkListener, type ListenOptions, listenLink } from "./link/listen.ts";
export { checker, type Method, type Methods, method } from "./link/method.ts";
export { loadTls, type Peer, type Station, type TlsMaterial } from "./link/tls.ts";
