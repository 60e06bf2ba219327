/** The gateway-server: its parts know little of each other, here they are put together. */
import { type Context, connectLink, type Definition, Fault, rateLimited } from "@trefoil/service";
import type { Reception, Transmit, Transmitted } from "@trefoil/wire";
import { checkTransmit } from "./downlink/check.ts";
import { transmit } from "./downlink/transmit.ts";
import { addGatewayRoutes } from "./gateways/admin.ts";
import { GatewayTable } from "./gateways/gateway-table.ts";
import { keepGateways } from "./gateways/keep.ts";
import { openNotices } from "./gateways/notices.ts";
import { type DatagramOutcome, type ReceptionOutcome, receive } from "./receive.ts";
import { chosenRegion } from "./region.ts";
import { allGateways, fromRow, type GatewayRow, storeDefinition } from "./store.ts";
import { openGauge, openTally } from "./tally.ts";
import { openUdp } from "./udp.ts";
import { Outbound } from "./uplink/outbound.ts";

type Hot = keyof typeof storeDefinition.statements;
export type GatewayServerContext = Context<"gateway-server", Hot, undefined>;

/** What a stop waits for: the network-server's answers to what it was given. */
const drainMs = 3_000;

/** A clock that only goes forward, near the Unix time: what happens between two frames of a gateway is measured with it. */
const nowMs = () => performance.timeOrigin + performance.now();

export const definition: Definition<"gateway-server", Hot> = {
  role: "gateway-server",
  store: storeDefinition,
  start,
};

async function start(ctx: GatewayServerContext): Promise<void> {
  const { config, metrics, peers } = ctx;
  const region = chosenRegion(config.network);
  const log = rateLimited(ctx.log);
  const table = new GatewayTable(region, config.unknownGateways === "accept");
  for (const row of ctx.store.read<GatewayRow>(allGateways).all())
    table.register(fromRow(row), row.last_seen ?? undefined);

  const datagrams = openTally<DatagramOutcome>(
    metrics,
    "trefoil_gateway_datagrams_total",
    "Datagrams by what became of them",
  );
  const receptions = openTally<ReceptionOutcome>(
    metrics,
    "trefoil_gateway_receptions_total",
    "Frames heard, one for each antenna, by what became of them",
  );
  const downlinks = openTally<string>(metrics, "trefoil_gateway_downlinks_total", "Downlinks by what became of them");

  const networkServer = peers["network-server"];
  if (!networkServer)
    throw new Fault("start/no-peer", "the address of the network-server is missing", { retry: "later" });
  const udp = await openUdp(config.udp, (err) => log.warn({ err }, "a datagram could not be sent"));

  const transmitPorts = { gateway: (eui: string) => table.get(eui), send: udp.send, nowMs };
  const toNetworkServer = connectLink(ctx, {
    to: "network-server",
    address: networkServer,
    methods: {
      transmit: {
        check: checkTransmit,
        handle: async (request: Transmit): Promise<Transmitted> => {
          const answer = await transmit(transmitPorts, request);
          downlinks.add(answer.result === "transmitted" ? "transmitted" : answer.code);
          ctx.log.debug({ gateway: request.gateway, ...answer }, "downlink");
          return answer;
        },
      },
    },
  });
  const outbound = new Outbound({
    request: (batch) => toNetworkServer.request("uplinks", { receptions: batch }),
    isUp: () => toNetworkServer.up,
    refused: (batch, err) => {
      receptions.add("uplink/refused", batch.length);
      log.error({ err, receptions: batch.length }, "the network-server refused uplinks for good");
    },
  });
  const notices = openNotices(table, (gateways) => toNetworkServer.request("gateways", { gateways }));
  toNetworkServer.onUp(() => {
    notices.all();
    outbound.flush();
  });

  const uplink = (reception: Reception) => outbound.add(reception);
  const receivePorts = {
    table,
    log,
    datagrams,
    receptions,
    send: udp.send,
    uplink,
    changed: notices.changed,
    nowMs,
  };
  udp.onMessage((octets, source) => receive(receivePorts, octets, source));

  const kept = keepGateways(ctx.store, table, notices.changed, nowMs, (err) =>
    log.error({ err }, "the time a gateway was last seen could not be kept"),
  );
  addGatewayRoutes(ctx, table, notices.changed);

  const connected = () => [...table.values()].filter((gateway) => gateway.connected).length;
  openGauge(metrics, "trefoil_gateway_connected", "Gateways that a downlink would reach", connected);
  openGauge(
    metrics,
    "trefoil_gateway_uplinks_waiting",
    "Receptions that the network-server has not answered",
    () => outbound.waiting,
  );
  ctx.fact("gateways", () => table.size);
  ctx.fact("connectedGateways", connected);
  ctx.fact("waitingUplinks", () => outbound.waiting);
  ctx.readiness("network-server", () => (toNetworkServer.up ? undefined : "there is no link to the network-server"));
  ctx.listening("udp", udp.address);

  // In reverse: hear no more, let the network-server answer what it has, write down who was seen, close.
  ctx.onStop(() => toNetworkServer.close());
  ctx.onStop(() => kept.stop());
  ctx.onStop(() => outbound.drained(drainMs));
  ctx.onStop(() => udp.close());
}
