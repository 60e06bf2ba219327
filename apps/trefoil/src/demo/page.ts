/** The live page: one HTML file without anything from outside, fed by server-sent events. Loopback only. */
import { readFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Show } from "./show.ts";

const html = readFileSync(new URL("./page.html", import.meta.url));
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'";

export type Page = { readonly url: string; readonly show: (show: Show) => void; readonly close: () => void };

/** Listens on `port`, or on a free one when that is taken. */
export async function openPage(port: number): Promise<Page> {
  const viewers = new Set<ServerResponse>();
  let latest = "";
  const server = createServer((request, response) => {
    // A page from elsewhere that resolves to this machine (DNS rebinding) gets nothing.
    if (!/^(localhost|127\.0\.0\.1)(:\d+)?$/.test(request.headers.host ?? ""))
      return void response.writeHead(421).end();
    if (request.method !== "GET") return void response.writeHead(405).end();
    if (request.url === "/")
      return void response
        .writeHead(200, {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": policy,
          "x-content-type-options": "nosniff",
        })
        .end(html);
    if (request.url !== "/events") return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    if (latest) response.write(latest);
    viewers.add(response);
    response.on("close", () => viewers.delete(response));
  });
  const bound = (await listen(server, port)) ?? (await listen(server, 0));
  return {
    url: `http://localhost:${bound}`,
    show: (show) => {
      latest = `data: ${JSON.stringify(show)}\n\n`;
      for (const viewer of viewers) viewer.write(latest);
    },
    close: () => {
      for (const viewer of viewers) viewer.end();
      server.close();
    },
  };
}

/** The port, or undefined when it is taken. */
function listen(server: Server, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(undefined) : reject(error));
    server.once("error", failed);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", failed);
      resolve((server.address() as { port: number }).port);
    });
  });
}
