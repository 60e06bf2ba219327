/**
 * Answers by a POST of their own, for peers that want them so (the `url` of their statement; TS002-1.0.0 §7.2). What listens there must
 * have the key of that statement. Bounded: a peer that does not take its answers loses them, and no other peer waits for it.
 */
import { connectPinned, Fault, type HttpsClient, type Station } from "@trefoil/service";
import type { Peer } from "../standing.ts";

export type Fate = "taken" | "lost" | "overflow";
export type LaterOptions = {
  /** Before each try. A join-accept that is later than its second window is worth nothing. */
  readonly delaysMs?: readonly number[];
  readonly mostWaiting?: number;
  readonly onFate?: (fate: Fate, peer: Peer, fault?: unknown) => void;
};
export type Later = {
  readonly post: (peer: Peer, json: string) => void;
  readonly waiting: number;
  readonly close: () => void;
};

/** Answers under way to one peer at the same time. */
const atOnce = 8;

type Line = { readonly client: HttpsClient; readonly path: string; readonly queue: string[]; busy: number };

export function answersLater(station: Pick<Station, "tls">, options: LaterOptions = {}): Later {
  const { delaysMs = [0, 300, 1_200], mostWaiting = 1_000, onFate = () => {} } = options;
  const lines = new Map<string, Line>();
  let closed = false;

  function lineTo({ name, fingerprint, url = "" }: Peer): Line {
    const key = `${fingerprint} ${url}`;
    const known = lines.get(key);
    if (known) return known;
    const { hostname, port, pathname, search } = new URL(url);
    const address = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) };
    const client = connectPinned(station, { address, fingerprint, name });
    const line: Line = { client, path: pathname + search, queue: [], busy: 0 };
    lines.set(key, line);
    return line;
  }

  async function deliver({ client, path }: Line, peer: Peer, json: string): Promise<void> {
    let fault: unknown;
    for (const delayMs of delaysMs) {
      if (delayMs > 0) await new Promise((done) => setTimeout(done, delayMs).unref());
      if (closed) return;
      try {
        const { status } = await client.postText(path, json, { timeoutMs: 2_000 });
        if (status >= 200 && status < 300) return onFate("taken", peer);
        fault = new Fault("https/refused", `the peer answered ${status}`);
      } catch (error) {
        fault = error;
        // What it says in return is nothing to us.
        if (error instanceof Fault && error.code === "https/malformed") return onFate("taken", peer);
      }
    }
    onFate("lost", peer, fault);
  }

  function run(line: Line, peer: Peer): void {
    while (line.busy < atOnce) {
      const json = line.queue.shift();
      if (json === undefined) return;
      line.busy += 1;
      void deliver(line, peer, json).finally(() => {
        line.busy -= 1;
        run(line, peer);
      });
    }
  }

  return {
    post(peer, json) {
      const line = lineTo(peer);
      if (line.queue.length >= mostWaiting) return onFate("overflow", peer);
      line.queue.push(json);
      run(line, peer);
    },
    get waiting() {
      return [...lines.values()].reduce((sum, { queue, busy }) => sum + queue.length + busy, 0);
    },
    close() {
      closed = true;
      for (const { client, queue } of lines.values()) {
        queue.length = 0;
        client.close();
      }
    },
  };
}
