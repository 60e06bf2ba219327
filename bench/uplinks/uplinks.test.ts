import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { startBare } from "./bare-target.ts";
import { Latencies } from "./latencies.ts";
import { search } from "./search.ts";
import { cpuMicros, residentOctets } from "./usage.ts";

describe("the search for the highest sustained rate", () => {
  /** Keeps up to `limit` per second for a short while, and `long` for a long one. */
  const machine = (limit: number, long = limit) => {
    const asked: string[] = [];
    const attempt = async (rate: number, seconds: number) => {
      asked.push(`${rate}/${seconds}`);
      return { rate, sustained: rate <= (seconds === 30 ? long : limit) };
    };
    return { attempt, asked };
  };
  const options = { from: 1000, shortSeconds: 5, longSeconds: 30 };

  test.each([1, 90, 999, 1000, 7_300, 43_000])("finds %i per second to within its precision", async (limit) => {
    const { rate } = await search(machine(limit).attempt, options);
    expect(rate).toBeLessThanOrEqual(limit);
    expect(rate).toBeGreaterThanOrEqual(Math.floor(limit / 1.09));
  });

  test("what holds for seconds only is lowered until it holds for long", async () => {
    const { attempt, asked } = machine(8_000, 6_000);
    const { rate } = await search(attempt, options);
    expect(rate).toBeLessThanOrEqual(6_000);
    expect(asked.at(-1)).toBe(`${rate}/30`);
  });

  test("a generator at its own limit ends the search: what it could send counts", async () => {
    const { rate } = await search(async (asked) => ({ rate: Math.min(asked, 3_000), sustained: true }), options);
    expect(rate).toBe(3_000);
  });

  test("a target that sustains nothing is an error, not a figure", async () => {
    await expect(search(machine(0).attempt, options)).rejects.toThrow(/not even one/);
  });
});

describe("latencies", () => {
  test("quantiles are within 1 % of the sorted list's", () => {
    const latencies = new Latencies();
    for (let micros = 100_000; micros > 0; micros--) latencies.add(micros);
    const { p50, p99, p999 } = latencies.summary();
    for (const [found, exact] of [
      [p50, 50],
      [p99, 99],
      [p999, 99.9],
    ] as const)
      expect(Math.abs(found / exact - 1)).toBeLessThan(0.011);
  });

  test("nothing measured is 0", () => expect(new Latencies().summary()).toEqual({ p50: 0, p99: 0, p999: 0 }));
});

describe("the bare pipeline", () => {
  const phyPayload = (devAddr: number, fCnt: number) => {
    const octets = Buffer.alloc(30);
    octets.writeUInt32LE(devAddr, 1);
    octets.writeUInt16LE(fCnt, 6);
    return octets.toString("base64");
  };
  const pushData = (...frames: string[]) =>
    Buffer.concat([
      Buffer.of(2, 7, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8),
      Buffer.from(JSON.stringify({ rxpk: frames.map((data) => ({ data })) })),
    ]);

  test("commits each new counter once, acknowledges each datagram", async () => {
    const bare = await startBare(10);
    const gateway = createSocket("udp4");
    try {
      const exchange = async (datagram: Buffer) => {
        gateway.send(datagram, bare.port, "127.0.0.1");
        return (await once(gateway, "message"))[0] as Buffer;
      };
      expect(await exchange(pushData(phyPayload(0x0100_0003, 5)))).toEqual(Buffer.of(2, 7, 9, 1));
      await exchange(pushData(phyPayload(0x0100_0003, 5), phyPayload(0x0100_0004, 1))); // the first one repeated
      await exchange(pushData(phyPayload(0x0200_0000, 1))); // nobody's
      await expect.poll(bare.arrived).toBe(2);
    } finally {
      gateway.close();
      await bare.stop();
    }
  });
});

test("the kernel's books know this process", () => {
  expect(cpuMicros(process.pid)).toBeGreaterThan(0);
  expect(Math.abs(residentOctets(process.pid) / process.memoryUsage.rss() - 1)).toBeLessThan(0.2);
});
