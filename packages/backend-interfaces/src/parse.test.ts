import fc from "fast-check";
import { expect, it } from "vitest";
import {
  answerTypeOf,
  isAnswerType,
  isRequestType,
  type JoinAns,
  type JoinReq,
  type Message,
  type MessageType,
  messages,
} from "./messages.ts";
import { answerHeader, encodeMessage, parseMessage } from "./parse.ts";
import { type ResultCode, resultCodeOf, resultCodes, spelledIn } from "./result-code.ts";
import { keySchemeOf, parseProtocolVersion, versionToAnswerIn } from "./version.ts";

const joinReq = {
  ProtocolVersion: "1.0",
  SenderID: "000013",
  ReceiverID: "70b3d57ed0000001",
  TransactionID: 4_294_967_295,
  MessageType: "JoinReq",
  SenderToken: "abcd",
  MACVersion: "1.0.4",
  PHYPayload: "00040302010403020105040302050403022d106a990e12",
  DevEUI: "0203040502030405",
  DevAddr: "26000001",
  DLSettings: "03",
  RxDelay: 1,
} satisfies JoinReq;
const envelope = { kekLabel: "ns/000013", aesKey: "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" };
const joinAns: JoinAns = {
  ...answerHeader(joinReq, "JoinAns"),
  Result: { code: "Success" },
  PHYPayload: "20e3de108795f776b8037610ef7869b5b3",
  Lifetime: 0,
  NwkSKey: envelope,
  AppSKey: { ...envelope, kekLabel: "as/trefoil-as" },
  SessionKeyID: "0123456789abcdef",
};

it("a JoinReq reads as what it says (TS002-1.0.0 §8)", () => {
  expect(parseMessage(joinReq)).toEqual({ result: "parsed", message: joinReq });
});

it("hexadecimal may start with 0x and use either case (TS002-1.0.0 §8.2)", () => {
  const loud = {
    ...joinReq,
    DevEUI: "0x0203040502030405",
    PHYPayload: `0X${joinReq.PHYPayload.toUpperCase()}`,
    DLSettings: "0x03",
  };
  expect(parseMessage(loud)).toEqual({ result: "parsed", message: joinReq });
});

it("what is not known is ignored, and empty optional fields are absent", () => {
  expect(parseMessage({ ...joinReq, VSExtension: { VendorID: "1" }, CFList: "", SenderNSID: null })).toEqual({
    result: "parsed",
    message: joinReq,
  });
});

it("what is encoded parses to the same message, through JSON", () => {
  for (const message of [joinReq, joinAns, { ...joinReq, CFList: "00".repeat(16), ProtocolVersion: "1.1" as const }]) {
    expect(parseMessage(JSON.parse(JSON.stringify(encodeMessage(message))))).toEqual({ result: "parsed", message });
  }
});

it("an answer goes back to its sender with the same transaction and the sender's token", () => {
  expect(answerHeader(joinReq, "JoinAns")).toEqual({
    ProtocolVersion: "1.0",
    SenderID: "70b3d57ed0000001",
    ReceiverID: "000013",
    TransactionID: 4_294_967_295,
    MessageType: "JoinAns",
    ReceiverToken: "abcd",
  });
});

it.each([
  ["no object", [], "MalformedRequest", "body"],
  ["no version", { ...joinReq, ProtocolVersion: undefined }, "MalformedRequest", "ProtocolVersion"],
  ["a version that is not spoken", { ...joinReq, ProtocolVersion: "2.0" }, "InvalidProtocolVersion", "ProtocolVersion"],
  ["an unknown MessageType", { ...joinReq, MessageType: "JoyReq" }, "MalformedRequest", "MessageType"],
  ["a MessageType of Object's prototype", { ...joinReq, MessageType: "toString" }, "MalformedRequest", "MessageType"],
  ["a TransactionID over 32 bits", { ...joinReq, TransactionID: 2 ** 32 }, "MalformedRequest", "TransactionID"],
  ["a TransactionID in text", { ...joinReq, TransactionID: "1" }, "MalformedRequest", "TransactionID"],
  ["half an octet", { ...joinReq, PHYPayload: "001" }, "MalformedRequest", "PHYPayload"],
  ["no hexadecimal", { ...joinReq, DevEUI: "00zz040502030405" }, "MalformedRequest", "DevEUI"],
  ["a short DevAddr", { ...joinReq, DevAddr: "000001" }, "MalformedRequest", "DevAddr"],
  ["an RxDelay over 15", { ...joinReq, RxDelay: 16 }, "MalformedRequest", "RxDelay"],
  ["a CFList of another length", { ...joinReq, CFList: "00" }, "MalformedRequest", "CFList"],
])("a message with %s is refused with its result code", (_, value, code, wrong) => {
  expect(parseMessage(value)).toMatchObject({ result: "refused", code, wrong });
});

it("a refusal keeps what could be read of the header", () => {
  const { header } = parseMessage({ ...joinReq, ProtocolVersion: "9.0" }) as { header: object };
  expect(header).toEqual({
    ProtocolVersion: "1.1",
    SenderID: "000013",
    ReceiverID: "70b3d57ed0000001",
    TransactionID: 4_294_967_295,
    MessageType: "JoinReq",
    SenderToken: "abcd",
  });
});

it("a key envelope without a label makes the message malformed: no key in the clear is read (docs/authority.md)", () => {
  const sent = encodeMessage(joinAns);
  for (const NwkSKey of [
    { AESKey: "00".repeat(16) },
    { KEKLabel: "", AESKey: "00".repeat(24) },
    { KEKLabel: "a", AESKey: "00".repeat(16) },
  ]) {
    expect(parseMessage({ ...sent, NwkSKey })).toMatchObject({ result: "refused", wrong: "NwkSKey" });
  }
});

it("a key envelope without a label is not sent", () => {
  expect(() => encodeMessage({ ...joinAns, AppSKey: { ...envelope, kekLabel: "" } })).toThrow(RangeError);
});

it("UnknownReceiver is read in both spellings and written as each version spells it (TS002-1.0.0 §8.3)", () => {
  expect(["UnkownReceiver", "UnknownReceiver"].map(resultCodeOf)).toEqual(["UnknownReceiver", "UnknownReceiver"]);
  expect([spelledIn("UnknownReceiver", "1.0"), spelledIn("UnknownReceiver", "1.1")]).toEqual([
    "UnkownReceiver",
    "UnknownReceiver",
  ]);
});

it("each result code reads back from every version in which it has a name of its own", () => {
  for (const code of Object.keys(resultCodes) as ResultCode[]) {
    expect(resultCodeOf(code)).toBe(code);
    expect(resultCodeOf(spelledIn(code, "1.1"))).toBe(code);
  }
  expect(resultCodeOf("Surprise")).toBe("Other");
});

const headed = <Type extends MessageType>(MessageType: Type, body: object) =>
  ({ ...answerHeader(joinReq, "JoinAns"), ...body, MessageType }) as unknown as Message<Type>;

it.each<Message>([
  { ...joinReq, MessageType: "RejoinReq" },
  { ...joinAns, MessageType: "RejoinAns" },
  headed("AppSKeyReq", { DevEUI: "0203040502030405", SessionKeyID: "0badcafe" }),
  headed("AppSKeyAns", {
    Result: { code: "Success" },
    DevEUI: "0203040502030405",
    AppSKey: envelope,
    SessionKeyID: "00",
  }),
  headed("HomeNSReq", { DevEUI: "0203040502030405" }),
  headed("HomeNSAns", { Result: { code: "Success" }, HNetID: "000013", HNSID: "70b3d57ed0000abc" }),
  headed("ErrorNotif", { Result: { code: "Other", description: "no session" } }),
  headed("PRStartReq", {}),
  headed("PRStartAns", { Result: { code: "NoRoamingAgreement" } }),
])("$MessageType reads back as what was written (TS002-1.1.0)", (message) => {
  expect(parseMessage(JSON.parse(JSON.stringify(encodeMessage(message))))).toEqual({ result: "parsed", message });
});

it("every request has its answer, and nothing else has", () => {
  for (const type of Object.keys(messages) as MessageType[]) {
    expect([isRequestType(type), isAnswerType(type)].filter(Boolean)).toHaveLength(type === "ErrorNotif" ? 0 : 1);
    if (isRequestType(type)) expect(Object.keys(messages)).toContain(answerTypeOf(type));
  }
});

it("a SessionKeyID is octets in hexadecimal; what another join server writes as text stays text", () => {
  const read = (SessionKeyID: string) => {
    const parsed = parseMessage(headed("AppSKeyReq", { DevEUI: "0203040502030405", SessionKeyID }));
    return parsed.result === "parsed" && "SessionKeyID" in parsed.message ? parsed.message.SessionKeyID : parsed;
  };
  const generated = "ttn-lw-interop-generated:01HZ";
  expect(read(Buffer.from(generated).toString("hex").toUpperCase())).toBe(Buffer.from(generated).toString("hex"));
  expect(read(generated)).toBe(generated);
  expect(read("0xAB")).toBe("ab");
});

it("what The Things Stack writes for nothing is nothing: an empty envelope, an empty CFList, its NetID as NSID", () => {
  const ttsJoinReq = { ...joinReq, CFList: "", TransactionID: 0, SenderNSID: "000013", ProtocolVersion: "1.1" };
  expect(parseMessage(ttsJoinReq)).toMatchObject({ result: "parsed", message: { SenderNSID: "000013" } });
  const refused = { ...encodeMessage(joinAns), Result: { ResultCode: "UnknownDevEUI" }, PHYPayload: "" };
  const parsed = parseMessage({ ...refused, AppSKey: { KEKLabel: "", AESKey: "" } });
  expect(parsed).toMatchObject({ result: "parsed", message: { Result: { code: "UnknownDevEUI" } } });
  expect((parsed as { message: object }).message).not.toHaveProperty("AppSKey");
});

it("patch releases of TS002 are spoken; of others, the highest that is not above is answered in", () => {
  expect(["1.0", "1.0.0", "1.0.1", "1.1", "1.1.7"].map(parseProtocolVersion)).toEqual([
    "1.0",
    "1.0",
    "1.0",
    "1.1",
    "1.1",
  ]);
  expect(["1.2", "0.9", "1", "1.1.", "1.10", " 1.1", "", 1.1, null].map(parseProtocolVersion)).toEqual(
    Array(9).fill(undefined),
  );
  expect(["2.0", "1.2", "9.9.9"].map(versionToAnswerIn)).toEqual(["1.1", "1.1", "1.1"]);
  expect(["0.9", "nonsense", undefined, 7].map(versionToAnswerIn)).toEqual(["1.0", "1.0", "1.0", "1.0"]);
});

it("NSIDs change places like the IDs (TS002-1.1.0)", () => {
  const asked = { ...joinReq, SenderNSID: "70b3d57ed0000abc", ReceiverNSID: "00" };
  expect(answerHeader(asked, "JoinAns")).toMatchObject({ ReceiverNSID: "70b3d57ed0000abc", SenderNSID: "00" });
});

it("MACVersion names a key scheme", () => {
  expect(["1.0", "1.0.2", "1.0.4", "1.1", "1.1.0", "1.2", "2", "1.1x"].map(keySchemeOf)).toEqual([
    "1.0",
    "1.0",
    "1.0",
    "1.1",
    "1.1",
    undefined,
    undefined,
    undefined,
  ]);
});

it("anything at all is parsed or refused, and never throws", () => {
  const field = fc.oneof(
    fc.anything(),
    fc.string(),
    fc.nat(),
    fc.constantFrom("1.0", "1.1", ...Object.keys(messages), "0x", "00".repeat(8), { KEKLabel: "", AESKey: "" }),
  );
  const near = fc.record(Object.fromEntries(Object.keys({ ...joinReq, ...joinAns }).map((name) => [name, field])), {
    requiredKeys: [],
  });
  const mutated = near.map((change) => ({ ...joinReq, ...change }));
  fc.assert(
    fc.property(fc.oneof(fc.anything(), near, mutated), (value) =>
      ["parsed", "refused"].includes(parseMessage(value).result),
    ),
    { numRuns: 2_000 },
  );
});
