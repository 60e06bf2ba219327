/** The join-server. Others meet it on the wire. */
export { joinServer } from "./server.ts";
