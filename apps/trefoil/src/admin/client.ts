/** Calls a server's administration socket (platform/wire/src/admin.ts). */
import { request } from "node:http";
import type { Role } from "@trefoil/wire";

/** What a server answered instead of doing it, or why it could not be asked. `code` is one of docs/errors.md. */
export class AdminError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export type Method = "GET" | "POST" | "DELETE";

/** One call. The answer's JSON, or `AdminError`. */
export function call<T>(dataDir: string, role: Role, method: Method, path: string, body?: unknown): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        socketPath: `${dataDir}/${role}/admin.sock`,
        method,
        path,
        headers:
          text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("end", () => {
          const parsed = parseJson(Buffer.concat(parts).toString("utf8"));
          if ((answer.statusCode ?? 500) < 400) resolve(parsed as T);
          else reject(errorOf(role, parsed, answer.statusCode ?? 500));
        });
        answer.on("error", reject);
      },
    );
    asking.on("error", (error: NodeJS.ErrnoException) => reject(unreachable(role, dataDir, error)));
    asking.end(text);
  });
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}

function errorOf(role: Role, body: unknown, status: number): AdminError {
  const error = (body as { error?: { code?: string; message?: string } }).error;
  return new AdminError(
    error?.code ?? `admin/status-${status}`,
    error?.message ?? `the ${role} answered with status ${status}`,
  );
}

function unreachable(role: Role, dataDir: string, error: NodeJS.ErrnoException): AdminError {
  switch (error.code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new AdminError("admin/not-running", `the ${role} of ${dataDir} is not running: start it with npm start`);
    case "EACCES":
    case "EPERM":
      return new AdminError("admin/not-allowed", `only the user who started the network may administer ${dataDir}`);
    default:
      return new AdminError("admin/failed", `the ${role} did not answer (${error.code ?? "unknown"})`);
  }
}
