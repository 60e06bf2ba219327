/** For tests and the bench alone: no other server imports this one. */
export { networkServer } from "./network-server.ts";
