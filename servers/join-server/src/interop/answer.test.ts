/** Whatever a peer with a valid certificate sends ends as an outcome: nothing throws, nothing is claimed, no more is told than the code. */
import { Fault, type Peer } from "@trefoil/service";
import fc from "fast-check";
import { expect, it } from "vitest";
import { interop } from "./interop.ts";
import type { JoinPorts } from "./join/handle.ts";
import { type Outcome, outcomes } from "./join/outcomes.ts";
import { Turns } from "./turns.ts";

const device = {
  ...{ devEui: "0203040502030405", joinEui: "0102030401020304", macVersion: "1.0.3", netId: "000013", asId: "as" },
  ...{ blobs: { AppKey: "" }, history: 1, lastJoinNonce: 0, lastDevNonce: -1 },
} as const;
const request = {
  ...{
    ProtocolVersion: "1.0",
    SenderID: "000013",
    ReceiverID: device.joinEui,
    TransactionID: 1,
    MessageType: "JoinReq",
  },
  ...{ MACVersion: "1.0.3", PHYPayload: "00040302010403020105040302050403022d106a990e12", DevEUI: device.devEui },
  ...{ DevAddr: "26000001", DLSettings: "00", RxDelay: 1 },
};
const peer: Peer = { role: "network-server", fingerprint: "ab".repeat(32), netId: "000013" };

function setUp(vault: JoinPorts["vault"]["join"] = async () => ({ result: "refused", code: "join/mic-failed" })) {
  const claims: unknown[] = [];
  const seen: Outcome[] = [];
  const ports = {
    registry: {
      byDevEui: (devEui: string) => (devEui === device.devEui ? device : undefined),
      answerOf: () => undefined,
      isDevNonceUsed: () => false,
      claim: async (claim: unknown) => void claims.push(claim),
    },
    audit: { writeOnce: async () => {} },
    vault: { join: vault },
    turns: new Turns(),
    onFault: () => {},
  } as unknown as JoinPorts;
  const handle = interop(ports, ({ outcome }) => void seen.push(outcome));
  const post = (body: string) => handle({ method: "POST", path: "/", headers: {}, body, peer });
  return { post, claims, seen };
}
const resultOf = (answer: { body: unknown }) =>
  (answer.body as { Result: { ResultCode: string; Description: string } }).Result;

it.each(["join/vault-unavailable", "join/blob-refused", "join/no-network-kek"] as const)(
  "%s: what the vault says, the peer learns as a code and no more",
  async (outcome) => {
    const vault = async () => {
      if (outcome === "join/vault-unavailable") throw new Fault("vault/timeout", "secret circumstances");
      return { result: "refused", code: outcome } as const;
    };
    const { post, claims } = setUp(vault);
    const answer = await post(JSON.stringify(request));
    expect(resultOf(answer)).toEqual({ ResultCode: outcomes[outcome], Description: outcome });
    expect(claims).toEqual([]);
  },
);

it("UnknownReceiver is spelt as the peer's version of TS002 spells it (TS002-1.0.0 §8.3)", async () => {
  const { post } = setUp();
  const spelt = async (ProtocolVersion: string) =>
    resultOf(await post(JSON.stringify({ ...request, ProtocolVersion, ReceiverID: "00".repeat(8) }))).ResultCode;
  expect([await spelt("1.0"), await spelt("1.1")]).toEqual(["UnkownReceiver", "UnknownReceiver"]);
});

it("a bug in a port is not told to the peer as an outcome: it goes up to the edge", async () => {
  const { post } = setUp(async () => {
    throw new TypeError("bug");
  });
  await expect(post(JSON.stringify(request))).rejects.toThrow(TypeError);
});

it("arbitrary and mutated bodies end as outcomes, and claim nothing without the vault's consent", async () => {
  const { post, claims, seen } = setUp();
  const names = Object.keys(request);
  const value = fc.oneof(
    fc.anything(),
    fc.constantFrom("", "0x", "00", "ff".repeat(23), -1, 2 ** 32, null),
    fc.string(),
  );
  const mutated = fc
    .record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] })
    .map((change) => ({ ...request, ...change }));
  const frames = fc
    .uint8Array({ minLength: 0, maxLength: 40 })
    .map((octets) => ({ ...request, PHYPayload: Buffer.from(octets).toString("hex") }));
  const flipped = fc.tuple(fc.nat(22), fc.nat(255)).map(([at, octet]) => {
    const frame = Buffer.from(request.PHYPayload, "hex");
    frame[at] = octet;
    return { ...request, PHYPayload: frame.toString("hex") };
  });
  const toText = (body: unknown) =>
    JSON.stringify(body, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner)) ?? "";
  const bodies = fc.oneof(fc.string(), fc.json(), mutated.map(toText), frames.map(toText), flipped.map(toText));
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const { status, body: answer } = await post(body);
      expect([200, 400]).toContain(status);
      expect(resultOf({ body: answer }).ResultCode).not.toBe("Success");
    }),
    { numRuns: 3_000 },
  );
  expect(claims).toEqual([]);
  expect(new Set(seen).size).toBeGreaterThan(3);
});
