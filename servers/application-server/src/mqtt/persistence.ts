/**
 * What aedes asks of a persistence, answered by our sessions (docs/decisions/0002). aedes itself never sends a message and stores
 * none: no retained messages, no queues. Only the handshake of incoming QoS 2 is kept here, in memory, for each client.
 */
import { Readable } from "node:stream";
import type { Asked, MqttSessions } from "./sessions.ts";

type Client = { readonly id: string; readonly clean: boolean };
type Packet = { readonly messageId?: number };

export function makePersistence(sessions: MqttSessions) {
  const incoming = new Map<string, Map<number, Packet>>();
  const nothing = () => Readable.from([]);
  return {
    setup: async () => {},

    // Subscriptions of durable sessions; those of clean ones come by the broker's event.
    addSubscriptions: (client: Client, asked: readonly Asked[]) => sessions.subscribe(client.id, true, asked),
    removeSubscriptions: (client: Client, topics: readonly string[]) => sessions.unsubscribe(client.id, topics),
    subscriptionsByClient: async (client: { readonly id: string }) => sessions.subscriptionsOf(client.id),
    cleanSubscriptions: (client: Client) => sessions.discard(client.id),
    subscriptionsByTopic: async () => [],

    // PUBACK of a message that we sent.
    outgoingClearMessageId: async (client: Client, { messageId }: Packet) => {
      if (messageId !== undefined) sessions.acknowledge(client.id, messageId);
    },
    outgoingUpdate: async () => {},
    outgoingStream: nothing,
    outgoingEnqueueCombi: async () => {},

    // Incoming QoS 2 (§4.3.3): a PUBLISH that comes again before its PUBREL is not taken twice.
    incomingStorePacket: async (client: Client, packet: Packet) => {
      const packets = incoming.get(client.id) ?? new Map<number, Packet>();
      incoming.set(client.id, packets.set(packet.messageId ?? 0, { messageId: packet.messageId ?? 0 }));
    },
    incomingGetPacket: async (client: Client, { messageId = 0 }: Packet) => {
      const packet = incoming.get(client.id)?.get(messageId);
      if (packet === undefined) throw new Error("no such packet");
      return packet;
    },
    incomingDelPacket: async (client: Client, { messageId = 0 }: Packet) => {
      incoming.get(client.id)?.delete(messageId);
    },
    cleanIncoming: async (client: Client) => {
      incoming.delete(client.id);
    },

    // Wills are published when a client is lost, from memory; like all else they reach nothing but a device's queue.
    putWill: async () => {},
    delWill: async () => undefined,
    streamWill: nothing,

    storeRetained: async () => {},
    createRetainedStreamCombi: nothing,
    createRetainedStream: nothing,
  };
}

/** aedes' own distribution of messages: nobody listens, because sessions read the log. */
export const silence = {
  on: (_topic: string, _deliver: unknown, done?: () => void) => done?.(),
  removeListener: (_topic: string, _deliver: unknown, done?: () => void) => done?.(),
  emit: (_packet: unknown, done?: () => void) => done?.(),
  close: (done?: () => void) => done?.(),
};
