/** The administration server: HTTP on a unix socket that only this server's user and root can open (platform/wire/src/admin.ts). */
import { chmodSync, rmSync } from "node:fs";
import { Fault } from "@trefoil/store";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import type { Log } from "./log.ts";

/** A clear refusal: thrown by a route, answered as `{ error: { code, message } }` with its 4xx status. */
export class AdminRefusal extends Error {
  readonly code: string;
  readonly statusCode: number;
  constructor(code: string, message: string, statusCode = 400) {
    super(message);
    this.code = code;
    this.statusCode = statusCode;
  }
}

/** Imports are large. */
export const defaultBodyLimit = 64 * 1024 * 1024;

export function createAdmin(log: Log, bodyLimit = defaultBodyLimit): FastifyInstance {
  const admin = fastify({
    bodyLimit,
    logger: false,
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
  });
  const refuse = (reply: FastifyReply, status: number, code: string, message: string) =>
    reply.code(status).send({ error: { code, message } });
  admin.setNotFoundHandler((request, reply) =>
    refuse(reply, 404, "admin/no-such-call", `there is no ${request.method} ${request.url.split("?")[0]}`),
  );
  admin.setErrorHandler(
    (error: Error & { code?: string; statusCode?: number; validation?: unknown }, _request, reply) => {
      if (error instanceof AdminRefusal) return refuse(reply, error.statusCode, error.code, error.message);
      if (error instanceof Fault) return refuse(reply, error.retry === "never" ? 409 : 503, error.code, error.message);
      if (error.validation) return refuse(reply, 400, "admin/invalid-body", error.message);
      switch (error.code) {
        case "FST_ERR_CTP_BODY_TOO_LARGE":
          return refuse(reply, 413, "admin/too-large", `the body is larger than ${bodyLimit} octets: send it in parts`);
        case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
          return refuse(reply, 415, "admin/not-json", "the body must be application/json or application/x-ndjson");
      }
      if (error.statusCode !== undefined && error.statusCode < 500)
        return refuse(reply, error.statusCode, "admin/malformed", "the body is not JSON");
      log.error({ err: error }, "an administration call failed");
      return refuse(reply, 500, "admin/failed", "the call failed: the log says where");
    },
  );
  admin.removeContentTypeParser("text/plain");
  admin.addContentTypeParser("application/x-ndjson", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, parseLines(body as string));
    } catch (error) {
      done(error as Error);
    }
  });
  return admin;
}

function parseLines(text: string): unknown[] {
  const rows: unknown[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      rows.push(JSON.parse(line));
    } catch {
      throw new AdminRefusal("admin/malformed", `line ${i + 1} is not JSON`);
    }
  }
  return rows;
}

/** The longest path that a unix socket can have (sun_path of Linux and macOS, the shorter one). */
const longestPath = 103;

/** Opens the socket, mode 0600. One that a killed process left behind is removed. */
export async function listenAdmin(admin: FastifyInstance, path: string): Promise<void> {
  if (Buffer.byteLength(path) > longestPath) {
    throw new Fault(
      "start/path-too-long",
      `${path} is too long for a socket (${longestPath} octets): set data to a shorter path`,
      { retry: "never" },
    );
  }
  rmSync(path, { force: true });
  await admin.listen({ path });
  chmodSync(path, 0o600);
}

/** Loads what fastify loads late, while the code can still be read. */
export async function warmUpAdmin(log: Log): Promise<void> {
  const admin = createAdmin(log);
  admin.post("/", { schema: { body: { type: "object" }, response: { 200: { type: "object" } } } }, async () => ({}));
  await admin.ready();
  await admin.close();
}
