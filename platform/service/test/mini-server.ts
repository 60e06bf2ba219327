/** For the tests of a server's life: writes a main.ts into a folder that only root may enter, and starts it as the supervisor does. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { Boot, Role } from "@trefoil/wire";
import { giveTo, makeTestNetwork, startChild, type TestChild, type TestNetwork } from "../src/testing.ts";

const service = new URL("../src/index.ts", import.meta.url).href;
/** Node is told to run this first: it refuses every load of code once the process is no longer root's. */
export const noLateImports = new URL("./no-late-imports.mjs", import.meta.url).href;

export type Mini = {
  readonly network: TestNetwork;
  /** The folder of the main.ts files. */
  readonly code: string;
  start(role: Role, body: string, more?: More): TestChild;
  remove(): Promise<void>;
};
export type More = {
  readonly boot?: Partial<Boot["boot"]>;
  readonly config?: object;
  readonly flags?: readonly string[];
  readonly identity?: { uid: number; gid: number };
};

export async function makeMini(): Promise<Mini> {
  const network = await makeTestNetwork("gateway-server", "network-server", "join-server", "vault");
  const code = mkdtempSync("/tmp/trefoil-code-");
  const children: TestChild[] = [];
  return {
    network,
    code,
    start: (role, body, { boot = {}, config = {}, flags = [], identity } = {}) => {
      const main = join(code, `main-${children.length}.mts`);
      writeFileSync(main, source(role, body));
      if (identity) giveTo(network, role, identity.uid, identity.gid);
      const child = startChild(
        main,
        { ...network.boot(role, config), ...(identity ? { identity } : {}), ...boot },
        flags,
      );
      children.push(child);
      return child;
    },
    remove: async () => {
      for (const child of children) await child.kill();
      rmSync(code, { recursive: true });
      network.remove();
    },
  };
}

const source = (role: Role, body: string) => `
import { AdminRefusal, Fault, connectHttps, connectLink, listenHttps, listenLink, listening, method, openVaultPipe, serve } from ${JSON.stringify(service)};
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
serve({ role: ${JSON.stringify(role)}, ${body} });
`;

export type Asked = {
  readonly port?: number;
  readonly socketPath?: string;
  readonly path: string;
  readonly body?: string;
  readonly type?: string;
};

/** GET, or POST where there is a body. */
export const ask = ({ body: sent, type = "application/json", ...to }: Asked) =>
  new Promise<{ status: number; body: string }>((resolve, reject) => {
    const headers = sent === undefined ? {} : { "content-type": type };
    const asking = request(
      { host: "127.0.0.1", method: sent === undefined ? "GET" : "POST", ...to, headers },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text) => {
          body += text;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      },
    );
    asking.on("error", reject);
    asking.end(sent);
  });
