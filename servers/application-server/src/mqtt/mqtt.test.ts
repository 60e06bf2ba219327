import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { topicKinds } from "../log/events.ts";
import { Attempts } from "./attempts.ts";
import { parseFilter } from "./filters.ts";
import { InFlight } from "./in-flight.ts";
import { Credentials, hashPassword, makePassword } from "./passwords.ts";
import { encodePublishes } from "./publish-packet.ts";
import { notSubscribed, Subscriptions } from "./subscriptions.ts";

const kinds = (text: string) => {
  const filter = parseFilter("parking", text);
  return filter && { ...filter, kinds: topicKinds.filter((_, bit) => (filter.kinds >> bit) & 1) };
};

describe("topic filters (compat.md §1: wildcards are read as the own application)", () => {
  test.each(["#", "v3/#", "v3/+/#", "v3/parking/#", "v3/+/devices/#", "v3/+/devices/+/#", "+/#"])(
    "%s means all",
    (text) => {
      expect(kinds(text)).toEqual({ kinds: [...topicKinds] });
    },
  );
  test.each([
    ["v3/parking/devices/+/up", { kinds: ["up"] }],
    ["v3/+/devices/bay-7/up", { kinds: ["up"], deviceId: "bay-7" }],
    ["v3/+/devices/bay-7/#", { kinds: [...topicKinds], deviceId: "bay-7" }],
    ["v3/+/devices/+/down/+", { kinds: topicKinds.filter((kind) => kind.startsWith("down/")) }],
    ["v3/+/devices/+/down/#", { kinds: topicKinds.filter((kind) => kind.startsWith("down/")) }],
    ["v3/+/devices/+/+", { kinds: ["up", "join"] }],
    ["v3/+/devices/+/down/invalidated", { kinds: ["down/invalidated"] }],
    ["v3/+/devices/+/up/#", { kinds: ["up", "up/normalized"] }],
    ["v3/+/devices/+/location/solved", { kinds: ["location/solved"] }],
  ])("%s", (text, expected) => expect(kinds(text)).toEqual(expected));
  test.each([
    "v3/other/devices/+/up",
    "v3/other/#",
    "v3/parking",
    "v3/parking/devices",
    "v3/parking/devices/+",
    "v3/parking/devices/+/down/push",
    "v3/parking/devices/+/down",
    "$SYS/#",
    "v2/parking/#",
    "v3/park+/#",
    "v3/#/up",
    "v3/parking/devices/+/up#",
    "",
    "/".repeat(60),
  ])("%s is refused", (text) => expect(parseFilter("parking", text)).toBeUndefined());
});

test("overlapping subscriptions give the highest QoS (MQTT-3.3.5-1); nothing older than a subscription is meant", () => {
  const subscriptions = new Subscriptions();
  const id = (text: string) => () => text;
  expect(subscriptions.qosOf(0, 5, id("a"))).toBe(notSubscribed);
  subscriptions.set("all", { kinds: 0b11, qos: 0, since: 3 });
  subscriptions.set("one", { kinds: 0b01, deviceId: "a", qos: 1, since: 8 });
  expect([subscriptions.qosOf(0, 9, id("a")), subscriptions.qosOf(0, 9, id("b"))]).toEqual([1, 0]);
  expect(subscriptions.qosOf(0, 7, id("a"))).toBe(0);
  expect(subscriptions.qosOf(0, 2, id("a"))).toBe(notSubscribed);
  expect(subscriptions.qosOf(2, 9, id("a"))).toBe(notSubscribed);
  expect(subscriptions.delete("all")).toBe(true);
  expect(subscriptions.qosOf(0, 9, id("b"))).toBe(notSubscribed);
});

test("acknowledgements in any order: the oldest open place is the cursor, and identifiers are never 0", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 70_000 }), fc.infiniteStream(fc.nat(7)), (before, picks) => {
      const inFlight = new InFlight(8);
      for (let n = 0; n < before; n++) inFlight.acknowledge(inFlight.add(n, 0));
      const open: { packetId: number; position: number }[] = [];
      for (let n = before; n < before + 60; n++) {
        const packetId = inFlight.add(n, n % 3);
        expect(packetId).toBeGreaterThan(0);
        expect(packetId).toBeLessThanOrEqual(65_535);
        open.push({ packetId, position: n });
        while (inFlight.isFull) {
          const [picked] = open.splice((picks.next().value as number) % open.length, 1);
          expect(inFlight.acknowledge(picked?.packetId as number)).toBe(true);
          expect(inFlight.acknowledge(picked?.packetId as number)).toBe(false);
        }
        expect(inFlight.oldest?.position).toBe(open[0]?.position);
        expect([...inFlight.open()].map(({ position }) => position)).toEqual(open.map(({ position }) => position));
      }
    }),
    { numRuns: 20 },
  );
});

/** A reader of PUBLISH packets, written from MQTT 3.1.1 §2.2 and §3.3. */
function* decodePublishes(octets: Buffer) {
  for (let at = 0; at < octets.length; ) {
    const head = octets[at++] as number;
    let length = 0;
    for (let factor = 1, more = true; more; factor *= 128) {
      const digit = octets[at++] as number;
      length += (digit & 127) * factor;
      more = digit > 127;
    }
    const end = at + length;
    const topicEnd = at + 2 + octets.readUInt16BE(at);
    const topic = octets.toString("utf8", at + 2, topicEnd);
    const qos = (head >> 1) & 3;
    const packetId = qos === 0 ? 0 : octets.readUInt16BE(topicEnd);
    const payload = octets.toString("utf8", topicEnd + (qos === 0 ? 0 : 2), end);
    yield { type: head >> 4, dup: (head & 8) !== 0, retain: head & 1, qos, topic, packetId, payload };
    at = end;
  }
}

test("PUBLISH packets, many in one piece (MQTT 3.1.1 §3.3)", () => {
  const spec = { message: { topic: "a/b", payload: "x" }, packetId: 10, dup: false };
  expect([...encodePublishes([spec])]).toEqual([0x32, 8, 0, 3, 0x61, 0x2f, 0x62, 0, 10, 0x78]);
  const anyPublish = fc.record({
    message: fc.record({
      topic: fc.stringMatching(/^[a-z0-9/-]{1,60}$/),
      payload: fc
        .tuple(fc.stringMatching(/^[ -~]{0,40}$/), fc.integer({ min: 1, max: 500 }))
        .map(([text, n]) => text.repeat(n)),
    }),
    packetId: fc.integer({ min: 0, max: 65_535 }),
    dup: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyPublish, { minLength: 1, maxLength: 5 }), (publishes) => {
      expect([...decodePublishes(encodePublishes(publishes))]).toEqual(
        publishes.map(({ message, packetId, dup }) => ({
          type: 3,
          dup,
          retain: 0,
          qos: packetId === 0 ? 0 : 1,
          packetId,
          ...message,
        })),
      );
    }),
  );
});

describe("passwords", () => {
  test("only the right one opens; an unknown application is not told apart", async () => {
    const password = makePassword();
    const secret = await hashPassword(password);
    const credentials = new Credentials((id) => (id === "parking" ? secret : undefined));
    const verify = (id: string, text: string) => credentials.verify(id, Buffer.from(text), "127.0.0.1");
    expect(await verify("parking", password)).toBe("right");
    expect(await verify("parking", password)).toBe("right");
    expect(await verify("parking", `${password}x`)).toBe("mqtt/wrong-credentials");
    expect(await verify("parking", "")).toBe("mqtt/wrong-credentials");
    expect(await verify("other", password)).toBe("mqtt/wrong-credentials");
    credentials.forget("parking");
    expect(await verify("parking", password)).toBe("right");
  });

  test("guessing is slowed down for its address and application; who knows the password is not", async () => {
    const password = makePassword();
    const secret = await hashPassword(password);
    const credentials = new Credentials(() => secret);
    const at = (text: string, address = "10.0.0.1") => credentials.verify("parking", Buffer.from(text), address, 0);
    expect(await at(password)).toBe("right");
    const guesses: string[] = [];
    for (let n = 0; n < 12; n++) guesses.push(await at(`guess ${n}`));
    expect(guesses.slice(0, 9)).toEqual(Array(9).fill("mqtt/wrong-credentials"));
    expect(guesses.slice(9)).toEqual(Array(3).fill("mqtt/too-many-attempts"));
    expect(await at("guess", "10.0.0.2")).toBe("mqtt/wrong-credentials");
    expect(await at(password)).toBe("right");
  });

  test("attempts come back with time, and memory of them is bounded", () => {
    const attempts = new Attempts();
    for (let n = 0; n < 20_000; n++) attempts.allow(`10.0.${n}`, "x", 0);
    expect(attempts.size).toBeLessThanOrEqual(10_000);
    const tries = (now: number) =>
      Array.from({ length: 12 }, () => attempts.allow("a", "x", now)).filter(Boolean).length;
    expect(tries(0)).toBe(10);
    expect(tries(0)).toBe(0);
    expect(tries(10_000)).toBe(2);
  });
});
