import { createSocket } from "node:dgram";
import { expect, test } from "vitest";
import {
  capture,
  flipBit,
  Gateway,
  Medium,
  malformedDatagrams,
  RealClock,
  regions,
  replay,
  seededRandom,
  withWrongMic,
} from "../src/index.ts";
import { joined } from "./world.ts";

test("a tap captures join-requests and data frames; bits can be turned over, MICs spoilt", async () => {
  const one = await joined("1.0.4");
  const tape = capture(one.medium);
  await one.until(one.device.send({ fPort: 1, payload: Uint8Array.of(7) }));
  await one.until(one.device.join());
  tape.stop();
  await one.until(one.device.send({ fPort: 1, payload: Uint8Array.of(8) }));
  expect([tape.dataUplinks.length, tape.joinRequests.length]).toEqual([1, 1]);
  const frame = tape.dataUplinks[0]?.octets as Uint8Array;
  const before = [...frame];
  expect(flipBit(frame, 9)[1]).toBe((frame[1] as number) ^ 2);
  expect(withWrongMic(frame).subarray(0, -4)).toEqual(frame.subarray(0, -4));
  expect(withWrongMic(frame).at(-1)).not.toBe(frame.at(-1));
  expect([...frame]).toEqual(before);
  expect(() => flipBit(frame, 8 * frame.length)).toThrow(RangeError);
  // The network of the tests knows a wrong MIC when it sees one.
  const heard = one.network.uplinks.length;
  one.network.heard(withWrongMic(frame), { hz: 868_100_000, dr: 5 });
  expect(one.network.refused).toEqual(["data"]);
  expect(one.network.uplinks.length).toBe(heard);
});

test("a gateway replays a capture in a PUSH_DATA of its own, and sends malformed datagrams as they are", async () => {
  const socket = createSocket("udp4");
  const got: Buffer[] = [];
  const replayed = Promise.withResolvers<Buffer>();
  const all = Promise.withResolvers<void>();
  const hostile = malformedDatagrams("0102030405060708");
  socket.on("message", (datagram) => {
    const text = datagram.subarray(12).toString();
    if (text.includes('"data":"QAECAw=="') && !got.length) replayed.resolve(datagram);
    else if (hostile.some((one) => Buffer.from(one.datagram).equals(datagram)) && got.push(datagram) === hostile.length)
      all.resolve();
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const clock = new RealClock();
  const medium = new Medium(clock);
  const server = { host: "127.0.0.1", port: socket.address().port };
  const gateway = new Gateway({
    eui: "0102030405060708",
    position: [0, 0, 0],
    region: regions.EU868,
    clock,
    medium,
    server,
    random: seededRandom(1),
  });
  await gateway.start();
  const emission = {
    from: { id: "x", position: [0, 0, 0] as const },
    startUs: 0,
    endUs: 1,
    inverted: false,
    eirpDbm: 14,
  };
  replay(gateway, {
    ...emission,
    hz: 867_900_000,
    rate: { sf: 9, bwHz: 125_000 },
    octets: Uint8Array.of(0x40, 1, 2, 3),
  });
  const datagram = await replayed.promise;
  expect(datagram.subarray(3, 12).toString("hex")).toBe("000102030405060708");
  expect(JSON.parse(datagram.subarray(12).toString()).rxpk[0]).toMatchObject({
    freq: 867.9,
    datr: "SF9BW125",
    size: 4,
    stat: 1,
  });
  for (const one of hostile) gateway.sendRaw(one.datagram);
  await all.promise;
  await gateway.close();
  clock.close();
  socket.close();
  expect(new Set(hostile.map(({ name }) => name)).size).toBe(hostile.length);
});
