import Type from "typebox";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  type ConnectedLink,
  type ConnectOptions,
  connectLink,
  type Link,
  type LinkListener,
  type ListenOptions,
  listenLink,
  method,
} from "../index.ts";
import { makeTestNetwork, type TestNetwork } from "../testing.ts";

let network: TestNetwork;
const toClose: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  network = await makeTestNetwork("gateway-server", "network-server", "application-server");
});
afterAll(() => network.remove());
afterEach(async () => {
  for (const it of toClose.splice(0).reverse()) await it.close();
});

const uplinks = Type.Object({ receptions: Type.Array(Type.Integer()) });
const listen = async (
  options: Partial<ListenOptions> = {},
  role: "network-server" | "application-server" = "network-server",
): Promise<LinkListener> => {
  const listener = await listenLink(network.station(role), {
    address: { host: "127.0.0.1", port: 0 },
    from: {},
    ...options,
  });
  toClose.push(listener);
  return listener;
};
const dial = (listener: LinkListener, options: Partial<ConnectOptions> = {}): ConnectedLink => {
  const link = connectLink(network.station("gateway-server"), {
    to: "network-server",
    address: listener.address,
    backOff: { firstMs: 1, longestMs: 20 },
    ...options,
  });
  toClose.push(link);
  return link;
};
const up = (link: ConnectedLink) => new Promise<Link>((resolve) => link.onUp(resolve));

test("either side asks, the other answers", async () => {
  const listener = await listen({
    from: {
      "gateway-server": {
        uplinks: method(uplinks, ({ receptions }) => ({ sum: receptions.reduce((a, b) => a + b, 0) })),
      },
    },
  });
  const link = dial(listener, {
    methods: { transmit: method(Type.Object({ gateway: Type.String() }), async ({ gateway }) => ({ to: gateway })) },
  });
  await up(link);
  expect(await link.request("uplinks", { receptions: [1, 2, 3] })).toEqual({ sum: 6 });
  expect(await listener.link("gateway-server")?.request("transmit", { gateway: "é" })).toEqual({ to: "é" });
});
