/**
 * Bodies and frames of every kind against the real handler, with the real store and a vault that derives real keys: nothing throws, every
 * question gets a well-formed answer with a Result, and no key is in any answer, log or file. 30,000 cases;
 * `TREFOIL_FUZZ_CASES=1000000 npm test -- servers/join-server/test/fuzz` runs more, `TREFOIL_FUZZ_SEED` others.
 */
import { isAnswerType, messages, parseMessage } from "@trefoil/backend-interfaces";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type Outcome, outcomes } from "../src/outcomes.ts";
import {
  appSKeyReq,
  homeNsReq,
  joinReq,
  joinRequest,
  netIds,
  newDevice,
  rejoinReq,
  type TestDevice,
} from "./frames.ts";
import { type From, type Handler, makeHandler } from "./handler.ts";

const cases = Number(process.env.TREFOIL_FUZZ_CASES ?? 30_000);
const seed = Number(process.env.TREFOIL_FUZZ_SEED ?? 20_261_122);
const atOnce = 200;

const devices = Array.from({ length: 40 }, (_, i) =>
  newDevice(["1.0.2", "1.0.4", "1.1"][i % 3] as "1.1", i < 30 ? netIds.ours : netIds.theirs),
);

let at: Handler;
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown) => unhandled.push(error);
beforeAll(async () => {
  at = await makeHandler(devices);
});
afterAll(() => at.end());
beforeEach(() => void process.on("unhandledRejection", onUnhandled));
afterEach(() => void process.off("unhandledRejection", onUnhandled));

const anyDevice = fc.constantFrom(...devices);
const hex = (most: number) => fc.uint8Array({ maxLength: most }).map((octets) => Buffer.from(octets).toString("hex"));
const nonce = fc.nat(65_535);
const type = fc.constantFrom<0 | 1 | 2>(0, 1, 2);

/** What a network would send. */
const honest = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(anyDevice, nonce).map(([device, devNonce]) => joinReq(device, devNonce)) },
  {
    weight: 2,
    arbitrary: fc.tuple(anyDevice, type, nonce).map(([device, t, count]) => rejoinReq(device, t, count)),
  },
  fc.tuple(anyDevice, hex(16)).map(([device, id]) => appSKeyReq(device, id)),
  anyDevice.map((device) => homeNsReq(device)),
);
/** The same with a frame that is something else. */
const flipped = fc.tuple(honest, fc.nat(30), fc.nat(255)).map(([message, place, octet]) => {
  const frame = Buffer.from("PHYPayload" in message ? message.PHYPayload : "", "hex");
  if (place < frame.length) frame[place] = octet;
  return { ...message, PHYPayload: frame.toString("hex") };
});
const otherFrame = fc.tuple(honest, hex(40)).map(([message, PHYPayload]) => ({ ...message, PHYPayload }));
const otherKey = fc
  .tuple(anyDevice, nonce, fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(([device, devNonce, key]) => joinReq(device, devNonce, { PHYPayload: joinRequest(device, devNonce, key) }));

/** The same as another message, or of another device, or of another sender. */
const mistaken = fc
  .tuple(
    honest,
    fc.constantFrom(...Object.keys(messages)),
    fc.nat(2),
    fc.constantFrom("000013", "600021", "trefoil-as"),
  )
  .map(([message, MessageType, what, SenderID]) =>
    what === 0
      ? { ...message, MessageType, Result: { ResultCode: "Success" } }
      : what === 1
        ? { ...message, SenderID }
        : { ...message, SenderID, DevEUI: "ff".repeat(8) },
  );

const odd = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom<unknown>(
    "",
    "0x",
    "0X00",
    "ff".repeat(23),
    "00".repeat(600),
    -1,
    0.5,
    2 ** 32,
    1e308,
    null,
    [],
    {},
    true,
  ),
  fc.constantFrom<unknown>(
    "1.0",
    "1.1",
    "1.1.9",
    "2.0",
    netIds.ours,
    netIds.theirs,
    `0x${netIds.ours}`,
    "trefoil-as",
    "their-as",
  ),
  fc.constantFrom<unknown>(...Object.keys(messages), "toString", "__proto__", "constructor", "JoyReq"),
  fc.constantFrom<unknown>(
    { KEKLabel: "", AESKey: "00".repeat(16) },
    { KEKLabel: "x", AESKey: "00".repeat(24) },
    { ResultCode: "Success" },
  ),
);
const names = [
  ...new Set([
    ...Object.keys(joinReq(devices[0] as TestDevice, 1)),
    "SessionKeyID",
    "CFList",
    "SenderToken",
    "ReceiverToken",
  ]),
  ...["SenderNSID", "ReceiverNSID", "Result", "AppSKey", "VSExtension", "HNetID", "__proto__"],
];
const mutated = fc
  .tuple(honest, fc.array(fc.tuple(fc.constantFrom(...names), odd), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([message, changes, remove]) => {
    const changed = { ...message, ...Object.fromEntries(changes) } as { [name: string]: unknown };
    if (remove) delete changed[changes[0]?.[0] ?? ""];
    return changed;
  });
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.json(),
  fc.nat(3_000).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
  fc.tuple(honest, fc.nat(600), fc.string({ unit: "binary", maxLength: 5 })).map(([message, place, more]) => {
    const text = JSON.stringify(message);
    return text.slice(0, place) + more + text.slice(place);
  }),
);
const bodies = fc.oneof(
  ...[honest, flipped, otherFrame, otherKey, mistaken].map((arbitrary) =>
    arbitrary.map((body) => JSON.stringify(body)),
  ),
  { weight: 3, arbitrary: mutated.map((body) => JSON.stringify(body)) },
  { weight: 2, arbitrary: texts },
);
const from = fc.constantFrom<From>("ours", "ours", "ours", "theirs", "as", "later");

/** What a body got is an answer as TS002 has it, and nothing else. */
function check(
  body: string,
  { status, json, body: other }: Awaited<ReturnType<Handler["post"]>>,
  secrets: Secrets,
): void {
  expect([200, 202, 204, 400]).toContain(status);
  expect(other).toBeUndefined();
  if (json === undefined) {
    expect([202, 204]).toContain(status);
    return;
  }
  const parsed = parseMessage(JSON.parse(json));
  if (parsed.result === "refused" || !isAnswerType(parsed.message.MessageType) || !("Result" in parsed.message))
    throw new Error(`no answer: ${json} to ${body}`);
  secrets.search(json, body);
}

/** Root keys as text in every form that an answer or a log line could have. */
class Secrets {
  readonly #forms: readonly string[];
  constructor(keys: readonly Uint8Array[]) {
    this.#forms = keys.flatMap((key) => {
      const octets = Buffer.from(key);
      const [upper, reversed] = [octets.toString("hex").toUpperCase(), Buffer.from(octets).reverse().toString("hex")];
      return [
        octets.toString("hex"),
        upper,
        reversed,
        octets.toString("base64").slice(0, 22),
        octets.toString("base64url"),
        octets.join(","),
      ];
    });
  }
  search(text: string, about: string): void {
    for (const form of this.#forms) if (text.includes(form)) throw new Error(`a key is in the answer to ${about}`);
  }
}
const roots = devices.flatMap(({ keys }) => Object.values(keys).map((key) => Buffer.from(key, "hex")));

it("the search for keys finds each form", () => {
  const key = roots[0] as Buffer;
  const secrets = new Secrets([key]);
  const reversed = Buffer.from(key).reverse().toString("hex");
  for (const text of [
    key.toString("hex"),
    reversed,
    key.toString("base64"),
    key.toString("base64url"),
    JSON.stringify([...key]),
  ])
    expect(() => secrets.search(`{"x":"${text}"}`, "it")).toThrow("a key is in the answer");
});

it(`${cases} bodies: no crash, no unhandled rejection, no key, a well-formed answer to each`, {
  timeout: 3_600_000,
}, async () => {
  const secrets = new Secrets(roots);
  let done = 0;
  let again: [From, string][] = [];
  for (let round = 0; done < cases; round++) {
    const sample = fc.sample(fc.tuple(from, bodies), { numRuns: Math.min(atOnce, cases - done), seed: seed + round });
    const repeated = again;
    again = sample.slice(0, atOnce / 10);
    await Promise.all(
      [...sample, ...repeated].map(async ([peer, body]) => {
        const answer = await at.post(peer, body).catch((error) => {
          throw new Error(`${peer} made it throw with ${body}`, { cause: error });
        });
        check(body, answer, secrets);
      }),
    );
    done += sample.length;
    for (const json of at.posted.splice(0)) secrets.search(json, "a peer that is answered later");
  }
  expect(at.faults).toEqual([]);
  expect(unhandled).toEqual([]);

  // All parts were reached, and nothing that a key could be is in the files or in the audit trail.
  const counts = new Map<Outcome, number>();
  for (const outcome of at.seen) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const unreached = (Object.keys(outcomes) as Outcome[]).filter((outcome) => !counts.has(outcome));
  expect(unreached.filter((outcome) => !beyond.has(outcome))).toEqual([]);
  const session = new Secrets(at.vault.derived.slice(-2_000));
  const trail = JSON.stringify(at.audit.list(0, 1_000_000));
  secrets.search(trail, "the audit trail");
  session.search(trail, "the audit trail");
  const files = at.files();
  for (const key of [...roots, ...at.vault.derived.slice(-200)]) {
    for (const form of [Buffer.from(key), Buffer.from(Buffer.from(key).toString("hex")), Buffer.from(key.toString())])
      if (form.length >= 16 && files.includes(form)) throw new Error("a key is in the store");
  }
});

/** What takes more than a body: limits, faults, an oversized body, sixteen million joins. */
const beyond = new Set<Outcome>([
  ...([
    "interop/limited",
    "join/limited",
    "interop/too-large",
    "join/vault-unavailable",
    "join/store-unavailable",
  ] as const),
  ...(["join/no-network-kek", "join/no-application-kek", "join/vault-refused", "join/join-nonces-used-up"] as const),
  ...(["join/blob-refused", "app-s-key/given"] as const),
]);
