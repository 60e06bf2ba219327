import type { Transmit, Transmitted, Window } from "@trefoil/wire";
import { expect, test } from "vitest";
import { reception } from "../../test/world.ts";
import { transmit } from "./transmit.ts";

const phy = Uint8Array.of(0x60, 1, 2);
const window: Window = { delayUs: 1_000_000, hz: 868_100_000, dataRate: "SF7BW125", codingRate: "4/5", eirpDbm: 16 };
const attempts = ["000000000000000a", "000000000000000b", "000000000000000c"].map((gateway) => ({
  reception: reception(phy, { gateway }),
  windows: [window],
}));
const refused = (code: string): Transmitted => ({ result: "refused", code });
const run = (answers: (Transmitted | Error)[], elapsed: number[] = []) => {
  const asked: Transmit[] = [];
  const request = async (one: Transmit) => {
    asked.push(one);
    const answer = answers[asked.length - 1];
    if (answer instanceof Error || !answer) throw answer;
    return answer;
  };
  return transmit(phy, "class-a", attempts, { request, elapsedMs: () => elapsed[asked.length] ?? 0 }).then((fate) => ({
    fate,
    asked: asked.map(({ gateway }) => gateway.at(-1)).join(""),
    frames: new Set(asked.map(({ phyPayload }) => phyPayload)).size,
  }));
};

test("the next gateway is asked when one refuses or is lost, always with the same frame", async () => {
  const lost = Object.assign(new Error("lost"), { code: "link/lost" });
  const sent: Transmitted = { result: "transmitted", window: 0, confirmedByGateway: true };
  expect(await run([refused("schedule/conflict"), lost, sent])).toEqual({
    fate: { result: "sent", gateway: "000000000000000c", window: 0 },
    asked: "abc",
    frames: 1,
  });
});

test.each([
  refused("gateway/no-tx-ack"),
  ...["link/timeout", "link/lost"].map((code) => Object.assign(new Error(), { code })),
])("after one silence (%s) the fate is unknown, whatever other gateways refuse", async (silence) => {
  const fate = { result: "unknown", gateway: "000000000000000a", code: (silence as { code: string }).code };
  expect((await run([silence, refused("b/b"), refused("c/c")])).fate).toEqual(fate);
  expect((await run([silence], [0, 990])).fate).toEqual(fate);
});

test("when there is no link, nothing was sent", async () => {
  const down = () => Object.assign(new Error("down"), { code: "link/down" });
  expect((await run([down(), down(), down()])).fate).toEqual({ result: "failed", code: "link/down" });
});

test("when all refuse, the last reason is told; when the time is over, nobody is asked any more", async () => {
  const all = [refused("a/a"), refused("b/b"), refused("gateway/TOO_LATE")];
  expect((await run(all)).fate).toEqual({ result: "failed", code: "gateway/TOO_LATE" });
  expect(await run(all, [0, 990])).toMatchObject({ fate: { result: "failed", code: "schedule/too-late" }, asked: "a" });
});
