import { describe, expect, test } from "vitest";
import { withWrongMic } from "../src/attacks.ts";
import { Device } from "../src/device/device.ts";
import { macVersions } from "../src/device/versions.ts";
import { toHex } from "../src/octets.ts";
import { joined, world } from "./world.ts";

const payload = Uint8Array.of(1, 2, 3, 4);

describe.each(macVersions)("a %s device", (version) => {
  test.each(["RX1", "RX2"] as const)(
    "joins with an accept in %s, 5 s or 6 s after its request (§6.2.5)",
    async (window) => {
      const one = world(version);
      one.network.plan.window = window;
      expect(await one.until(one.device.join())).toBe(true);
      expect(one.of("joined")[0]).toMatchObject({ window, protocol: version === "1.1" ? "1.1" : "1.0" });
      const [request, accept] = one.sent;
      expect((accept?.startUs as number) - (request?.endUs as number)).toBe(window === "RX1" ? 5_000_000 : 6_000_000);
      expect(one.network.joins).toHaveLength(1);
      expect(one.device.session?.devAddr).toBe("00aa0000");
    },
  );

  test("sends data that the network decrypts, with FCntUp rising from 0 (§4.3.1.5)", async () => {
    const one = await joined(version);
    for (let i = 0; i < 3; i++) await one.until(one.device.send({ fPort: 7, payload }));
    expect(one.network.uplinks.map(({ fCnt, fPort, payload: data }) => [fCnt, fPort, data])).toEqual(
      [0, 1, 2].map((fCnt) => [fCnt, 7, "01020304"]),
    );
    expect(one.network.refused).toEqual([]);
  });

  test.each(["RX1", "RX2"] as const)(
    "hears application data in %s, 1 s or 2 s after its uplink (§3.3)",
    async (window) => {
      const one = await joined(version);
      one.network.plan.window = window;
      one.network.plan.data = { fPort: 9, payload: Buffer.from("hello") };
      const result = await one.until(one.device.send({ fPort: 1, payload }));
      expect(result.downlinks[0]?.data).toMatchObject({ fPort: 9 });
      expect(Buffer.from(result.downlinks[0]?.data?.payload as Uint8Array).toString()).toBe("hello");
      expect(one.of("downlink")[0]?.window).toBe(window);
      const [up, down] = one.sent.slice(-2);
      expect((down?.startUs as number) - (up?.endUs as number)).toBe(window === "RX1" ? 1_000_000 : 2_000_000);
    },
  );

  test("repeats a confirmed uplink with the same FCntUp until the ACK comes (§4.3.1.2)", async () => {
    const one = await joined(version);
    one.network.plan.silent = 2;
    const result = await one.until(one.device.send({ fPort: 1, payload, confirmed: true }));
    expect(result).toMatchObject({ fCntUp: 0, tries: 3, acknowledged: true });
    expect(one.network.uplinks.map(({ fCnt, confirmed }) => [fCnt, confirmed])).toEqual([
      [0, true],
      [0, true],
      [0, true],
    ]);
    expect(one.of("acknowledged")).toHaveLength(1);
    const next = await one.until(one.device.send({ fPort: 1, payload, confirmed: true }));
    expect(next).toMatchObject({ fCntUp: 1, tries: 1, acknowledged: true });
  });

  test("gives a confirmed uplink up after its tries and says that it is lost", async () => {
    const one = await joined(version);
    one.network.plan.silent = 99;
    const result = await one.until(one.device.send({ fPort: 1, payload, confirmed: true, tries: 3 }));
    expect(result).toMatchObject({ tries: 3, acknowledged: false });
    expect(one.of("lost")).toHaveLength(1);
    expect(one.device.session?.fCntUp).toBe(1);
  });

  test("acknowledges a confirmed downlink in its next uplink, once (§4.3.1.2)", async () => {
    const one = await joined(version, { answersPromptly: false });
    Object.assign(one.network.plan, { data: { fPort: 2, payload: Buffer.from("x") }, confirmed: true });
    await one.until(one.device.send({ fPort: 1, payload }));
    delete one.network.plan.data;
    one.network.plan.confirmed = false;
    await one.until(one.device.send({ fPort: 1, payload }));
    await one.until(one.device.send({ fPort: 1, payload }));
    expect(one.network.uplinks.map(({ ack }) => ack)).toEqual([false, true, false]);
    expect(one.network.refused).toEqual([]);
  });

  test("refuses a downlink with a wrong MIC, a replayed one, and one for another DevAddr, and tells why (§4.3.1.5, §4.4)", async () => {
    const one = await joined(version);
    one.network.plan.data = { fPort: 3, payload: Buffer.from("first") };
    await one.until(one.device.send({ fPort: 1, payload }));
    const first = one.sent.at(-1)?.octets as Uint8Array;
    one.network.plan.tamper = () => Buffer.from(first);
    expect((await one.until(one.device.send({ fPort: 1, payload }))).downlinks).toEqual([]);
    one.network.plan.tamper = (frame) =>
      Buffer.from(frame.map((octet, i) => (i === frame.length - 1 ? octet ^ 1 : octet)));
    expect((await one.until(one.device.send({ fPort: 1, payload }))).downlinks).toEqual([]);
    one.network.plan.tamper = (frame) => Buffer.from(frame.map((octet, i) => (i === 1 ? octet ^ 1 : octet)));
    expect((await one.until(one.device.send({ fPort: 1, payload }))).downlinks).toEqual([]);
    expect(one.of("refused").map(({ reason }) => reason)).toEqual(["replayed", "wrong-mic", "wrong-dev-addr"]);
  });

  test.each([
    ["1 ms late", { offsetUs: 1_000 }],
    ["1 ms early", { offsetUs: -1_000 }],
    ["200 kHz off", { hz: 200_000 }],
    ["with an uplink's polarity", { inverted: false }],
  ])("does not hear an accept that comes %s, and asks again", async (_, change) => {
    const one = world(version);
    Object.assign(one.adjust, change);
    expect(await one.until(one.device.join({ tries: 2 }))).toBe(false);
    expect(one.network.joins).toHaveLength(2);
    expect(one.of("join-failed")[0]?.tries).toBe(2);
  });

  test("refuses an accept with a wrong MIC and keeps its earlier session", async () => {
    const one = await joined(version);
    const before = one.device.session;
    one.network.plan.tamper = (frame) => Buffer.from(frame.map((octet, i) => (i === 5 ? octet ^ 1 : octet)));
    expect(await one.until(one.device.join({ tries: 1 }))).toBe(false);
    expect(one.of("refused")[0]?.reason).toBe("wrong-mic");
    expect(one.device.session).toEqual(before);
  });

  test("takes RX1DROffset, RX2 data rate, RxDelay and CFList type 0 from the accept (§6.2.5, RP002-1.0.4 §2.4.4)", async () => {
    const one = world(version);
    const cfList = Buffer.alloc(16);
    for (let i = 0; i < 5; i++) cfList.writeUIntLE(8_671_000 + 2_000 * i, 3 * i, 3);
    Object.assign(one.network.plan, { dlSettings: 0x23, rxDelay: 5, cfList });
    expect(await one.until(one.device.join())).toBe(true);
    expect(one.device.settings).toMatchObject({ rx1DrOffset: 2, rx2: { hz: 869_525_000, dr: 3 }, rxDelayS: 5 });
    expect(one.device.settings.channels.map((channel) => channel?.hz)).toEqual([
      868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000,
    ]);
    for (const window of ["RX1", "RX2"] as const) {
      one.network.plan.window = window;
      expect(await one.until(one.device.send({ fPort: 1, payload, confirmed: true }))).toMatchObject({
        acknowledged: true,
        tries: 1,
      });
    }
    // Over eight channels, the 1.1 MIC depends on the device's own channel index: some of these use the CFList's.
    for (let i = 0; i < 30; i++) await one.until(one.device.send({ fPort: 1, payload }));
    expect(new Set(one.uplinks().map(({ hz }) => hz)).size).toBe(8);
    expect(one.network.refused).toEqual([]);
  });

  test("varies channel and data rate from join to join, and backs off", async () => {
    const one = world(version);
    one.network.plan.silent = 99;
    await one.until(one.device.join({ tries: 6 }));
    const requests = one.of("join-request");
    expect(new Set(requests.map(({ dr }) => dr)).size).toBeGreaterThanOrEqual(4);
    expect(requests.every(({ hz }) => [868_100_000, 868_300_000, 868_500_000].includes(hz))).toBe(true);
    const gaps = requests.slice(1).map(({ at }, i) => at - (requests[i]?.at as number));
    expect(gaps.at(-1)).toBeGreaterThan(gaps[0] as number);
  });

  test("asks for a link check and the time with its next uplink (§5.1, §5.11)", async () => {
    const one = await joined(version);
    one.device.requestLinkCheck();
    one.device.requestDeviceTime();
    one.network.plan.fOpts = Buffer.from("020f030d0a00000080", "hex");
    await one.until(one.device.send({ fPort: 1, payload }));
    expect(one.network.uplinks[0]?.fOpts).toBe(version === "1.1" ? "0b01020d" : "020d");
    expect(one.of("link-check")[0]).toMatchObject({ marginDb: 15, gateways: 3 });
    expect(one.of("device-time")[0]).toMatchObject({ gpsSeconds: 10.5 });
  });

  test("answers DevStatusReq, RXTimingSetupReq and NewChannelReq, and repeats only sticky answers until it is heard (§5.5, §5.6, §5.7)", async () => {
    const one = await joined(version, { battery: 100, answersPromptly: false });
    one.network.plan.fOpts = Buffer.from("060802070380918450", "hex");
    await one.until(one.device.send({ fPort: 1, payload }));
    delete one.network.plan.fOpts;
    await one.until(one.device.send({ fPort: 1, payload }));
    await one.until(one.device.send({ fPort: 1, payload }));
    const [, second, third] = one.network.uplinks.map(({ fOpts }) => (version === "1.1" ? fOpts.slice(4) : fOpts));
    expect(second).toBe("06640e" + "08" + "0703");
    expect(third).toBe("08");
    expect(one.device.settings.rxDelayS).toBe(2);
    expect(one.device.settings.channels[3]).toMatchObject({ hz: 868_800_000, minDr: 0, maxDr: 5 });
  });
});

describe("nonces", () => {
  test("DevNonce of 1.0.4 and 1.1 counts and survives a power cut; of 1.0.3 it is drawn (§6.2.4)", async () => {
    for (const version of ["1.0.4", "1.1"] as const) {
      const one = await joined(version);
      await one.until(one.device.join());
      const again = new Device({ ...one.options, memory: { ...one.device.memory } });
      await one.until(again.join());
      expect(one.network.joins.map(({ devNonce }) => devNonce)).toEqual([0, 1, 2]);
    }
    const old = await joined("1.0.3");
    for (let i = 0; i < 3; i++) await old.until(old.device.join());
    const drawn = old.network.joins.map(({ devNonce }) => devNonce);
    expect(drawn).not.toEqual([...drawn].sort((a, b) => a - b));
  });

  test("JoinNonce must rise from 1.0.4 on (§6.2.5); 1.0.3 takes any", async () => {
    for (const [version, takes] of [
      ["1.0.3", true],
      ["1.0.4", false],
      ["1.1", false],
    ] as const) {
      const one = await joined(version);
      one.network.joinNonce = 0x0ff;
      expect(await one.until(one.device.join({ tries: 1 }))).toBe(takes);
      expect(one.of("refused").map(({ reason }) => reason)).toEqual(takes ? [] : ["join-nonce-not-rising"]);
    }
  });
});

describe("1.1", () => {
  test("sends RekeyInd in every uplink until RekeyConf comes (TS001-1.1 §5.9)", async () => {
    const one = await joined("1.1");
    await one.until(one.device.send({ fPort: 1, payload }));
    await one.until(one.device.send({ fPort: 1, payload }));
    one.network.plan.fOpts = Buffer.from("0b01", "hex");
    await one.until(one.device.send({ fPort: 1, payload }));
    delete one.network.plan.fOpts;
    await one.until(one.device.send({ fPort: 1, payload }));
    expect(one.network.uplinks.map(({ fOpts }) => fOpts)).toEqual(["0b01", "0b01", "0b01", ""]);
    expect(one.of("rekey-confirmed")).toHaveLength(1);
  });

  test("keeps two downlink counters apart, and its FOpts are encrypted on the air (TS001-1.1 §4.3.1.5, §4.3.1.6)", async () => {
    const one = await joined("1.1");
    one.network.plan.data = { fPort: 5, payload: Buffer.from("app") };
    one.network.plan.fOpts = Buffer.from("06", "hex");
    await one.until(one.device.send({ fPort: 1, payload }));
    delete one.network.plan.data;
    await one.until(one.device.send({ fPort: 1, payload }));
    expect(one.device.session).toMatchObject({ aFCntDown: 0, nFCntDown: 0 });
    expect(one.of("downlink").map(({ commands }) => commands)).toEqual([["DevStatusReq"], ["DevStatusReq"]]);
    const onAir = one.uplinks().at(-1)?.octets.subarray(8, 13) as Uint8Array;
    expect(toHex(onAir)).not.toBe("0b0106ff0e");
    expect(one.network.uplinks.at(-1)?.fOpts).toMatch(/^0b0106/);
  });

  test("an accept without OptNeg makes it a 1.0 device whose only root is the NwkKey (TS001-1.1 §6.1.1.3)", async () => {
    const one = world("1.1");
    const { nwkKey } = one.identity.keys;
    const old = world("1.0.4", { ...one.options, version: "1.1", keys: one.identity.keys });
    Object.assign(old.identity.keys, { appKey: nwkKey });
    // The device of this world is 1.1; its network believes in 1.0.4 with the NwkKey as AppKey.
    const device = new Device({
      ...old.options,
      clock: old.clock,
      medium: old.medium,
      version: "1.1",
      keys: { appKey: nwkKey as Uint8Array, nwkKey: nwkKey as Uint8Array },
    });
    expect(await old.until(device.join())).toBe(true);
    expect(device.session?.protocol).toBe("1.0");
    expect(await old.until(device.send({ fPort: 1, payload, confirmed: true }))).toMatchObject({ acknowledged: true });
  });
});

describe("rejoin-requests (TS001-1.1 §6.2.4)", () => {
  describe.each([0, 1, 2] as const)("type %i", (type) => {
    test.each(["RX1", "RX2"] as const)(
      "an accept in %s, 5 s or 6 s later, begins a new session; RekeyInd follows (§6.2.3)",
      async (window) => {
        const one = await joined("1.1");
        await one.until(one.device.send({ fPort: 1, payload }));
        const former = one.device.session;
        one.network.plan.window = window;
        expect(await one.until(one.device.rejoin({ type }))).toBe(true);
        const [request, accept] = one.sent.slice(-2);
        expect((accept?.startUs as number) - (request?.endUs as number)).toBe(window === "RX1" ? 5_000_000 : 6_000_000);
        expect(one.of("joined").at(-1)).toMatchObject({ by: type, window, protocol: "1.1", joinNonce: 0x101 });
        expect(one.device.session?.devAddr).not.toBe(former?.devAddr);
        expect(one.device.session?.keys.appSKey).not.toEqual(former?.keys.appSKey);
        // lora-packet, which has the same keys by itself, reads what follows.
        await one.until(one.device.send({ fPort: 9, payload, confirmed: true }));
        expect(one.network.uplinks.at(-1)).toMatchObject({ fCnt: 0, payload: "01020304", fOpts: "0b01" });
        expect(one.network.refused).toEqual([]);
      },
    );

    test("the session serves on, and its counters with it, until an accept is heard", async () => {
      const one = await joined("1.1");
      await one.until(one.device.send({ fPort: 1, payload }));
      one.network.plan.silent = 2;
      expect(await one.until(one.device.rejoin({ type, tries: 2 }))).toBe(false);
      expect(one.of("rejoin-unanswered")).toMatchObject([{ type, tries: 2 }]);
      const { devAddr } = one.device.session ?? {};
      expect(await one.until(one.device.send({ fPort: 1, payload, confirmed: true }))).toMatchObject({ fCntUp: 1 });
      expect(one.device.session?.devAddr).toBe(devAddr);
      one.network.plan.silent = 0;
      expect(await one.until(one.device.rejoin({ type }))).toBe(true);
      expect(one.network.rejoins.map(({ rjCount }) => rjCount)).toEqual([0, 1, 2]);
      expect(one.network.refused).toEqual([]);
    });

    test("an accept to another request, or with a JoinNonce that does not rise, is refused", async () => {
      const one = await joined("1.1");
      const { devAddr } = one.device.session ?? {};
      one.network.plan.tamper = (phyPayload) => Buffer.from(withWrongMic(phyPayload));
      expect(await one.until(one.device.rejoin({ type }))).toBe(false);
      delete one.network.plan.tamper;
      one.network.joinNonce = 0x0ff;
      expect(await one.until(one.device.rejoin({ type }))).toBe(false);
      expect(one.of("refused").map(({ reason }) => reason)).toEqual(["wrong-mic", "join-nonce-not-rising"]);
      expect(one.device.session?.devAddr).toBe(devAddr);
    });
  });

  test("RJcount0 begins anew with each accept; RJcount1 never does, not even after a power cut (§6.2.4.1, §6.2.4.2)", async () => {
    const one = await joined("1.1");
    one.network.plan.silent = 1;
    await one.until(one.device.rejoin({ type: 0 }));
    for (const type of [2, 1, 1, 0] as const) await one.until(one.device.rejoin({ type }));
    const again = new Device({ ...one.options, memory: { ...one.device.memory } });
    await one.until(again.join());
    await one.until(again.rejoin({ type: 1 }));
    expect(one.network.rejoins.map(({ type, rjCount }) => [type, rjCount])).toEqual([
      [0, 0],
      [2, 1],
      [1, 0],
      [1, 1],
      [0, 0],
      [1, 2],
    ]);
  });

  test("types 0 and 1 take the accept's radio parameters, type 2 leaves them as they are", async () => {
    const one = await joined("1.1");
    one.network.plan.fOpts = Buffer.from("0803", "hex");
    await one.until(one.device.send({ fPort: 1, payload }));
    expect(one.device.settings.rxDelayS).toBe(3);
    Object.assign(one.network.plan, { dlSettings: 0x13, rxDelay: 7, fOpts: undefined });
    await one.until(one.device.rejoin({ type: 2 }));
    expect(one.device.settings).toMatchObject({ rxDelayS: 3, rx1DrOffset: 0, rx2: { dr: 0 } });
    Object.assign(one.network.plan, { dlSettings: 0 });
    await one.until(one.device.rejoin({ type: 0 }));
    expect(one.device.settings).toMatchObject({ rxDelayS: 7, rx2: { dr: 0 } });
  });

  test("the network may answer with an ordinary downlink instead (§6.2.4.4)", async () => {
    const one = await joined("1.1");
    Object.assign(one.network.plan, { rejoin: "downlink", fOpts: Buffer.from("06", "hex") });
    expect(await one.until(one.device.rejoin({ type: 0 }))).toBe(false);
    expect(one.of("downlink").at(-1)).toMatchObject({ commands: ["DevStatusReq"] });
  });

  test("a session of 1.0 has none", async () => {
    const one = await joined("1.0.4");
    await expect(one.until(one.device.rejoin({ type: 0 }))).rejects.toThrow(RangeError);
  });
});

test("a personalised device speaks at once and continues its counter", async () => {
  const one = world("1.0.3");
  const keys = {
    nwkSKey: Uint8Array.from({ length: 16 }, (_, i) => i),
    appSKey: Uint8Array.from({ length: 16 }, (_, i) => 255 - i),
  };
  one.network.addSession("abp", "26011234", keys.nwkSKey, keys.appSKey);
  const { nwkSKey: n, appSKey } = keys;
  const device = new Device({
    ...one.options,
    abp: { devAddr: "26011234", keys: { fNwkSIntKey: n, sNwkSIntKey: n, nwkSEncKey: n, appSKey }, fCntUp: 41 },
  });
  expect(await one.until(device.send({ fPort: 1, payload, confirmed: true }))).toMatchObject({
    fCntUp: 41,
    acknowledged: true,
  });
  expect(one.network.uplinks[0]).toMatchObject({ fCnt: 41, payload: "01020304" });
});

test("a device whose last channel is taken away goes back to the default channels", async () => {
  const one = await joined("1.0.4");
  // NewChannelReq 3 at 867.1 MHz; LinkADRReq with only channel 3; NewChannelReq 3 removed.
  one.network.plan.fOpts = Buffer.from("0703184f8450" + "0350080001", "hex");
  await one.until(one.device.send({ fPort: 1, payload }));
  one.network.plan.fOpts = Buffer.from("070300000050", "hex");
  await one.until(one.device.send({ fPort: 1, payload }));
  delete one.network.plan.fOpts;
  await one.until(one.device.send({ fPort: 1, payload }));
  const [, second, third] = one.of("uplink");
  expect(second?.hz).toBe(867_100_000);
  expect([868_100_000, 868_300_000, 868_500_000]).toContain(third?.hz);
});

test("a request that is made while an uplink is under way goes with the next", async () => {
  const one = await joined("1.0.4");
  one.network.plan.fOpts = Buffer.from("06", "hex");
  const first = one.device.send({ fPort: 1, payload });
  one.device.on((event) => event.is === "uplink" && event.fCntUp === 0 && one.device.requestLinkCheck());
  await one.until(first);
  await one.until(one.device.send({ fPort: 1, payload }));
  expect(one.network.uplinks[1]?.fOpts).toMatch(/^06....02$/);
});

test("after 64 uplinks without an answer a device asks, and after 32 more it slows down (§4.3.1.1)", async () => {
  const one = await joined("1.0.4");
  const dr = one.device.settings.dr;
  for (let i = 0; i < 97; i++) await one.until(one.device.send({ fPort: 1, payload }));
  const asks = one
    .uplinks()
    .slice(1)
    .map(({ octets }) => ((octets[5] as number) & 0x40) !== 0);
  expect([asks[62], asks[63], asks[95]]).toEqual([false, true, true]);
  expect(one.of("uplink")[94]?.dr).toBe(dr);
  expect(one.of("uplink")[95]?.dr).toBe(dr - 1);
});

test("what does not fit into the data rate is refused before it is sent", async () => {
  const one = await joined("1.0.4");
  await expect(one.until(one.device.send({ fPort: 1, payload: new Uint8Array(243) }))).rejects.toThrow(RangeError);
});

describe("US915 (RP002-1.0.4 §2.5)", () => {
  test("a device joins on narrow and wide channels in turn, is answered at 500 kHz, and takes CFList type 1", async () => {
    const one = world("1.0.4", {}, "US915");
    one.network.plan.silent = 1;
    one.network.plan.dlSettings = 8;
    const cfList = Buffer.alloc(16);
    cfList.writeUInt16LE(0xff00, 0);
    cfList.writeUInt16LE(0x0002, 8);
    cfList[15] = 1;
    one.network.plan.cfList = cfList;
    expect(await one.until(one.device.join())).toBe(true);
    expect(one.of("join-request").map(({ dr }) => dr)).toEqual([0, 4]);
    expect(one.device.settings.channels.flatMap((channel, i) => (channel?.enabled ? [i] : []))).toEqual([
      8, 9, 10, 11, 12, 13, 14, 15, 65,
    ]);
    for (const window of ["RX1", "RX2"] as const) {
      one.network.plan.window = window;
      expect(await one.until(one.device.send({ fPort: 1, payload, confirmed: true }))).toMatchObject({
        acknowledged: true,
        tries: 1,
      });
    }
    const downlinks = one.sent.filter(({ inverted }) => inverted);
    expect(downlinks.every(({ rate }) => "bwHz" in rate && rate.bwHz === 500_000)).toBe(true);
    expect(downlinks.at(-1)?.hz).toBe(923_300_000);
  });
});
