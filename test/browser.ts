/** A real browser for page tests: Debian's Chromium without a window, steered by the Chrome DevTools Protocol. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type Browser = {
  /** Opens an address in a tab of its own and answers with the text of expressions that are evaluated there. */
  readonly open: (url: string) => Promise<(expression: string) => Promise<string>>;
  readonly close: () => Promise<void>;
};

export async function openBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "trefoil-chromium-"));
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
  ];
  const child = spawn("chromium", [...flags, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
  const socket = new WebSocket(await debuggerAddress(child));
  await once(socket, "open");

  const waiting = new Map<
    number,
    (answer: { readonly result?: unknown; readonly error?: { readonly message: string } }) => void
  >();
  socket.onmessage = ({ data }) => {
    const { id, ...answer } = JSON.parse(String(data));
    waiting.get(id)?.(answer);
    waiting.delete(id);
  };
  let lastId = 0;
  const call = <T>(method: string, params: object, sessionId?: string) =>
    new Promise<T>((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result as T),
      );
      socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }));
    });

  return {
    open: async (url) => {
      const { targetId } = await call<{ targetId: string }>("Target.createTarget", { url });
      const { sessionId } = await call<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
      return async (expression) => {
        const { result } = await call<{ result: { value?: unknown; description?: string } }>(
          "Runtime.evaluate",
          { expression },
          sessionId,
        );
        return String(result.value ?? result.description ?? "");
      };
    },
    close: async () => {
      socket.close();
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

async function debuggerAddress(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error("unreachable: stderr is a pipe");
  for await (const line of createInterface({ input: child.stderr })) {
    const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (address) {
      child.stderr.resume();
      return address;
    }
  }
  throw new Error("Chromium ended before it could be steered");
}
