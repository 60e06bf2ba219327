import { type Duplex, duplexPair } from "node:stream";
import { expect, it } from "vitest";
import { encodePipeFrame, readPipeFrames } from "./pipe.ts";
import { type VaultClientOptions, vaultClient } from "./vault-client.ts";
import type { VaultRequest } from "./vault-port.ts";

/** A vault's end of the pipe, played by the test. */
function vaultEnd() {
  const [ours, theirs] = duplexPair() as [Duplex, Duplex];
  const requests: VaultRequest[] = [];
  readPipeFrames(theirs, (value) => void requests.push(value as VaultRequest));
  return { ours, theirs, requests, say: (value: unknown) => theirs.write(encodePipeFrame(value)) };
}
const turns = async (until: () => boolean) => {
  while (!until()) await new Promise((done) => setImmediate(done));
};
const setUp = (options?: VaultClientOptions) => {
  const end = vaultEnd();
  return { end, client: vaultClient(end.ours, options) };
};
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "answered",
    (fault: { code: string; retry: string }) => `${fault.code} ${fault.retry}`,
  );

it("many requests are under way at once, and answers may come in any order", async () => {
  const { client, end } = setUp();
  const [first, second] = [client.info({}), client.statements({})];
  await turns(() => end.requests.length === 2);
  expect(end.requests.map(({ method }) => method)).toEqual(["info", "statements"]);
  end.say({ id: end.requests[1]?.id, answer: [] });
  await expect(second).resolves.toEqual([]);
  end.say({ id: end.requests[0]?.id, answer: { engine: "software" } });
  await expect(first).resolves.toEqual({ engine: "software" });
  expect(client.pending).toBe(0);
});

it("an answer that comes in single octets is understood", async () => {
  const { client, end } = setUp();
  const asked = client.info({});
  await turns(() => end.requests.length === 1);
  for (const octet of encodePipeFrame({ id: end.requests[0]?.id, answer: { engine: "ü" } }))
    end.theirs.write(Uint8Array.of(octet));
  await expect(asked).resolves.toEqual({ engine: "ü" });
});

it("a vault's fault is thrown with its code", async () => {
  const { client, end } = setUp();
  const asked = code(client.info({}));
  await turns(() => end.requests.length === 1);
  end.say({ id: end.requests[0]?.id, fault: "vault/bug", retry: "never" });
  expect(await asked).toBe("vault/bug never");
});

it("without a pipe a request fails at once", async () => {
  expect(await code(vaultClient().info({}))).toBe("vault/unreachable later");
});

it("what was under way when the vault died is asked once more of its successor", async () => {
  const { client, end } = setUp();
  const asked = client.info({});
  await turns(() => end.requests.length === 1);
  end.theirs.destroy();
  end.ours.destroy();
  await turns(() => !client.connected);
  const next = vaultEnd();
  client.attach(next.ours);
  await turns(() => next.requests.length === 1);
  expect(next.requests).toEqual(end.requests);
  next.say({ id: next.requests[0]?.id, answer: 1 });
  await expect(asked).resolves.toBe(1);
});

it("and no more than once", async () => {
  const { client, end } = setUp();
  const asked = code(client.info({}));
  await turns(() => end.requests.length === 1);
  end.ours.destroy();
  await turns(() => !client.connected);
  const next = vaultEnd();
  client.attach(next.ours);
  await turns(() => next.requests.length === 1);
  next.ours.destroy();
  expect(await asked).toBe("vault/unreachable now");
  expect(client.pending).toBe(0);
});

it("a vault that does not come back, or does not answer, is a fault", async () => {
  const gone = setUp({ reattachWithinMs: 1 });
  const asked = code(gone.client.info({}));
  gone.end.ours.destroy();
  expect(await asked).toBe("vault/unreachable now");
  expect(await code(setUp({ answerWithinMs: 1 }).client.info({}))).toBe("vault/timeout later");
});

it("more than the allowed number under way is refused", async () => {
  const { client } = setUp({ maximumPending: 1 });
  void client.info({}).catch(() => {});
  expect(await code(client.info({}))).toBe("vault/overloaded later");
  client.close();
});

it.each([
  ["a frame over the limit", Buffer.from("ffffffff", "hex")],
  ["no JSON", Buffer.from("000000017b", "hex")],
  ["JSON that is no answer", encodePipeFrame({ hello: 1 })],
])("%s ends the pipe", async (_, octets) => {
  const { client, end } = setUp({ reattachWithinMs: 1 });
  const asked = code(client.info({}));
  end.theirs.write(octets);
  expect(await asked).toBe("vault/unreachable now");
  expect(client.connected).toBe(false);
});
