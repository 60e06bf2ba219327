/**
 * Which join server is asked about a JoinEUI: those of the configuration by range, the smallest range first, and this network's own for
 * all else (TS002-1.0.0 §8). Foreign ones are reached by HTTPS with this server's certificate.
 */
import { readFileSync } from "node:fs";
import { Fault } from "@trefoil/store";
import type { Address } from "@trefoil/wire";
import type { ForeignJoinServer } from "../config/sections.ts";
import { connectHttps, connectPinned, connectTrusted, type HttpsClient } from "./https.ts";
import type { Station } from "./tls.ts";

export type JoinServer = {
  /** Of TS002. */
  readonly protocolVersion: "1.0" | "1.1";
  /** Posts a message of TS002 and gives what was answered. Rejects with a Fault. */
  readonly ask: (message: unknown, timeoutMs: number) => Promise<unknown>;
};
export type JoinServers = {
  /** Undefined where no configured one has this JoinEUI and there is no own one. */
  readonly of: (joinEui: string) => JoinServer | undefined;
  readonly close: () => void;
};

/** `own`: where this network's own join-server listens. */
export function connectJoinServers(
  station: Pick<Station, "tls"> & Parameters<typeof connectHttps>[0],
  own: Address | undefined,
  foreign: readonly ForeignJoinServer[],
): JoinServers {
  const clients: HttpsClient[] = [];
  const joinServer = (client: HttpsClient, path: string, protocolVersion: "1.0" | "1.1"): JoinServer => {
    clients.push(client);
    return {
      protocolVersion,
      ask: async (message, timeoutMs) => (await client.post(path, message, { timeoutMs })).body,
    };
  };
  const ranges = foreign
    .map((entry) => {
      const [first, last] = [entry.joinEuis.first.toLowerCase(), entry.joinEuis.last.toLowerCase()];
      const { client, path } = connectForeign(station, entry);
      const size = BigInt(`0x${last}`) - BigInt(`0x${first}`);
      return { first, last, size, server: joinServer(client, path, entry.protocolVersion ?? "1.0") };
    })
    .sort((a, b) => Number(a.size > b.size) - Number(a.size < b.size));
  const home = own && joinServer(connectHttps(station, { to: "join-server", address: own }), "/", "1.1");
  return {
    of: (joinEui) => ranges.find(({ first, last }) => first <= joinEui && joinEui <= last)?.server ?? home,
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

function connectForeign(
  station: Pick<Station, "tls">,
  { url, pin, ca }: ForeignJoinServer,
): { readonly client: HttpsClient; readonly path: string } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "https:" || parsed.username || parsed.password)
    throw new Fault("config/join-servers", `${url} is no address of a join server`, { retry: "never" });
  const { hostname, port, pathname, search } = parsed;
  const address = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) };
  const name = `the join server ${parsed.host}`;
  const client =
    pin === undefined
      ? connectTrusted(station, { address, name, ...(ca === undefined ? {} : { ca: readAuthority(ca) }) })
      : connectPinned(station, { address, name, fingerprint: pin.toLowerCase() });
  return { client, path: `${pathname}${search}` };
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Fault("config/join-servers", `${path} (ca of a join server) cannot be read`, { retry: "never", cause });
  }
}
