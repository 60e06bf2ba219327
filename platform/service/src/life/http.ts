/** /healthz (the process lives), /readyz (it can do its work), /metrics (Prometheus). Loopback, no secrets, GET only. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "@trefoil/wire";
import { collectDefaultMetrics, Registry } from "prom-client";

/** Undefined where all is well, else one sentence. */
export type Check = () => string | undefined;

export type Health = {
  started: boolean;
  readonly checks: Map<string, Check>;
  /** What /healthz says besides "ok": what somebody who looks after the machine should know. */
  readonly notes: Map<string, () => string | undefined>;
};

export function openRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

export async function listenHttp(
  address: Address,
  registry: Registry,
  health: Health,
): Promise<{ address: Address; server: Server }> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) =>
      response.writeHead(status, { "content-type": type }).end(body);
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "text/plain", "GET only\n");
    switch (request.url?.split("?")[0]) {
      case "/healthz":
        return answer(200, "text/plain", ["ok", ...notesOf(health), ""].join("\n"));
      case "/readyz": {
        const problems = notReady(health);
        return answer(
          problems.length === 0 ? 200 : 503,
          "text/plain",
          problems.length === 0 ? "ready\n" : `${problems.join("\n")}\n`,
        );
      }
      case "/metrics":
        return registry.metrics().then(
          (text) => answer(200, registry.contentType, text),
          () => answer(500, "text/plain", "metrics could not be read\n"),
        );
      default:
        return answer(404, "text/plain", "here are /healthz, /readyz and /metrics\n");
    }
  });
  server.requestTimeout = 10_000;
  return { address: await listening(server, address), server };
}

const notesOf = ({ notes }: Health): string[] =>
  [...notes].flatMap(([name, note]) => {
    const text = note();
    return text === undefined ? [] : [`${name}: ${text}`];
  });

function notReady({ started, checks }: Health): string[] {
  if (!started) return ["starting"];
  return [...checks].flatMap(([name, check]) => {
    const problem = check();
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });
}

/** Listens on an address and tells the real one (port 0 asks the system). For any TCP server. */
export function listening(server: import("node:net").Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      const real = server.address() as AddressInfo;
      resolve({ host: real.address, port: real.port });
    });
  });
}
