/** The socket that gateways speak to. */
import { createSocket, type RemoteInfo } from "node:dgram";
import { lookup } from "node:dns";
import { isIP } from "node:net";
import type { Address } from "@trefoil/wire";

/** A burst of all gateways at once waits in the kernel while this process is busy. */
const recvBufferSize = 4 * 1024 * 1024;

export type Udp = {
  readonly address: Address;
  readonly send: (datagram: Buffer, host: string, port: number) => void;
  /** `use` must not throw. */
  readonly onMessage: (use: (octets: Buffer, source: RemoteInfo) => void) => void;
  close(): Promise<void>;
};

/** Binds. `onError` is told what sending stumbles over (no route, a full buffer): none of it ends the socket. */
export async function openUdp({ host, port }: Address, onError: (error: Error) => void): Promise<Udp> {
  const socket = createSocket({
    type: host.includes(":") ? "udp6" : "udp4",
    recvBufferSize,
    // Sends go to addresses that datagrams came from: asking the resolver about each costs 3 µs.
    lookup: (name, options, callback) => {
      const family = isIP(name);
      if (family === 0) lookup(name, options, callback);
      else callback(null, name, family);
    },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address: host, port }, () => {
      socket.off("error", reject);
      resolve();
    });
  }).catch((error: unknown) => {
    socket.close();
    throw error;
  });
  socket.on("error", onError);
  const real = socket.address();
  return {
    address: { host: real.address, port: real.port },
    send: (datagram, to, toPort) => socket.send(datagram, toPort, to),
    onMessage: (use) => void socket.on("message", use),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
