/** Why a start failed, as one clear sentence for the person who started it. */
import { Fault } from "@trefoil/store";
import type { FromChild, Role } from "@trefoil/wire";
import { sectionOf } from "../config/sections.ts";

export type Failed = Extract<FromChild, { failed: unknown }>["failed"];

export function failureOfStart(error: unknown, role: Role, config: unknown): Failed {
  if (error instanceof Fault) {
    return { code: error.code, message: error.message, retry: error.retry === "never" ? "never" : "later" };
  }
  const { code, syscall, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if ((syscall === "listen" || syscall === "bind") && port !== undefined) {
    const what = `${syscall === "bind" ? "UDP" : "TCP"} port ${port}`;
    const key = keyOfPort(role, config, port);
    switch (code) {
      case "EADDRINUSE":
        return {
          code: "listen/in-use",
          retry: "never",
          message: `${what} is already in use: stop the program that uses it, or set ${key}.port`,
        };
      case "EACCES":
      case "EPERM":
        return {
          code: "listen/not-allowed",
          retry: "never",
          message: `${what} may only be opened by root: set ${key}.port to 1024 or more`,
        };
      case "EADDRNOTAVAIL":
      case "ENOTFOUND":
        return {
          code: "listen/no-such-address",
          retry: "never",
          message: `this machine has no address ${address ?? ""}: set ${key}.host`,
        };
    }
  }
  return {
    code: "start/failed",
    message: `the ${role} could not start (${code ?? (error as Error)?.name ?? "unknown"})`,
    retry: "later",
  };
}

/** The listener with this port, by its name in the configuration file. */
function keyOfPort(role: Role, config: unknown, port: number): string {
  const section = sectionOf[role] ?? role;
  const entries = Object.entries((config ?? {}) as { [name: string]: { port?: unknown } });
  const name = entries.find(([, value]) => value?.port === port)?.[0];
  return name ? `${section}.${name}` : section;
}
