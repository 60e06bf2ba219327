/**
 * The messages of the networks that will ask, as they write them. Spellings from their public sources: The Things Stack's pkg/interop
 * (client.go, messages.go, types.go, client_test.go) and ChirpStack's backend/src/lib.rs; the configuration is in docs/beside.
 */
import { describe, expect, it } from "vitest";
import { answerHeader, encodeMessage, parseMessage, type ResultCode, resultCodes, spelledIn } from "../src/index.ts";

const parsed = (json: string) => {
  const answer = parseMessage(JSON.parse(json));
  return answer.result === "parsed" ? answer.message : expect.unreachable(`${answer.code}: ${answer.wrong}`);
};
const joinRequest = "00000000d07ed5b370080706050403020100003851f0b6";
const ids = { ReceiverID: "70B3D57ED0000000", DevEUI: "0102030405060708", DevAddr: "01020304" };

describe("The Things Stack: hexadecimal in capitals, members in Go's order, TransactionID always 0", () => {
  const joinReq = (version: string, sender: string) =>
    `{"ProtocolVersion":"${version}","TransactionID":0,"MessageType":"JoinReq",${sender},"MACVersion":"1.0.3",` +
    `"PHYPayload":"${joinRequest.toUpperCase()}","DevEUI":"${ids.DevEUI}","DevAddr":"${ids.DevAddr}","DLSettings":"00","RxDelay":5,"CFList":""}\n`;

  it.each([
    [
      "before 3.17, BI1.0: its NetID as NSID",
      "1.0",
      `"SenderID":"42FFFF","ReceiverID":"${ids.ReceiverID}","SenderNSID":"42FFFF"`,
      "42ffff",
    ],
    [
      "before 3.17, BI1.1",
      "1.1",
      `"SenderID":"42FFFF","ReceiverID":"${ids.ReceiverID}","SenderNSID":"42FFFF"`,
      "42ffff",
    ],
    ["since, BI1.0: no NSID", "1.0", `"SenderID":"42FFFF","ReceiverID":"${ids.ReceiverID}"`, undefined],
    [
      "since, BI1.1 with ns.interop.id",
      "1.1",
      `"SenderID":"42FFFF","SenderNSID":"42FFFFFFFF000000","ReceiverID":"${ids.ReceiverID}"`,
      "42ffffffff000000",
    ],
  ])("JoinReq, %s", (_, version, sender, nsId) => {
    const message = parsed(joinReq(version, sender));
    expect(message).toMatchObject({
      ...{ MessageType: "JoinReq", ProtocolVersion: version, TransactionID: 0, RxDelay: 5, DLSettings: "00" },
      ...{ PHYPayload: joinRequest, DevEUI: ids.DevEUI, DevAddr: ids.DevAddr, MACVersion: "1.0.3" },
    });
    expect(message.SenderID.toLowerCase()).toBe("42ffff");
    expect(message.SenderNSID).toBe(nsId);
    expect("CFList" in message).toBe(false);
  });

  it("each MACVersion that it writes", () => {
    for (const version of ["1.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.1"])
      expect(
        parsed(joinReq("1.0", `"SenderID":"000013","ReceiverID":"${ids.ReceiverID}"`).replace("1.0.3", version)),
      ).toMatchObject({
        MACVersion: version,
      });
  });

  it("AppSKeyReq of the application server as.interop.id, also with a session id that the network server made up", () => {
    const made = Buffer.from("ttn-lw-interop-generated:01FZ0000000000000000000000").toString("hex").toUpperCase();
    for (const id of ["016BFA7BAD4756346A674981E75CDBDC", made])
      expect(
        parsed(
          `{"ProtocolVersion":"1.1","TransactionID":0,"MessageType":"AppSKeyReq","SenderID":"test-as","ReceiverID":"${ids.ReceiverID}","DevEUI":"${ids.DevEUI}","SessionKeyID":"${id}"}`,
        ),
      ).toMatchObject({ MessageType: "AppSKeyReq", SenderID: "test-as", DevEUI: ids.DevEUI });
  });

  it("HomeNSReq", () => {
    const json = `{"ProtocolVersion":"1.1","TransactionID":7,"MessageType":"HomeNSReq","SenderID":"000013","ReceiverID":"${ids.ReceiverID}","DevEUI":"${ids.DevEUI}"}`;
    expect(parsed(json)).toMatchObject({ MessageType: "HomeNSReq", DevEUI: ids.DevEUI });
  });

  it("a JoinAns that another Join Server would send it parses here too, and ours has the members that it reads", () => {
    const envelope = (label: string, key: string) => `{"KEKLabel":"${label}","AESKey":"${key}"}`;
    const json =
      `{"ProtocolVersion":"1.1","TransactionID":0,"MessageType":"JoinAns","ReceiverToken":"01","SenderID":"${ids.ReceiverID}","ReceiverID":"000000",` +
      `"PHYPayload":"204D675073BB4153B23653EFA82C1F3A49E19C2A8696C9A34BF492674779E4BEFA","Result":{"ResultCode":"Success"},"Lifetime":0,` +
      `"NwkSKey":${envelope("ns:000000", "EB56FE6681999F25D548CFEDD4A6528B331BB5ADE1CAF17F")},` +
      `"AppSKey":${envelope("as:010042", "2A195CC93CA54AD82CFB36C83D91450F3D2D523556F13E69")},"SessionKeyID":"016BFA7BAD4756346A674981E75CDBDC"}`;
    const message = parsed(json);
    expect(message).toMatchObject({ Result: { code: "Success" }, NwkSKey: { kekLabel: "ns:000000" } });
    const ours = JSON.stringify(encodeMessage(message)).toUpperCase();
    for (const member of json
      .toUpperCase()
      .slice(1, -1)
      .split(/,(?=")/))
      expect(ours).toContain(member);
  });
});

describe("ChirpStack 4: hexadecimal in small letters, a random TransactionID, CFList left out when there is none", () => {
  const head = (type: string) =>
    `{"ProtocolVersion":"1.0","SenderID":"000013","ReceiverID":"70b3d57ed0000000","TransactionID":4294967295,"MessageType":"${type}"`;
  const activation = (payload: string) =>
    `"MACVersion":"1.0.3","PHYPayload":"${payload}","DevEUI":"0102030405060708","DevAddr":"01020304","DLSettings":"00","RxDelay":1`;

  it.each([
    ["JoinReq", `,"CFList":"184f84e85684b85e84886684586e8400"`, "184f84e85684b85e84886684586e8400"],
    ["JoinReq", "", undefined],
    ["RejoinReq", "", undefined],
  ] as const)("%s%s", (type, more, CFList) => {
    const message = parsed(`${head(type)},${activation(joinRequest)}${more}}`);
    expect(message).toMatchObject({ MessageType: type, TransactionID: 4_294_967_295, RxDelay: 1, MACVersion: "1.0.3" });
    expect((message as { CFList?: string }).CFList).toBe(CFList);
    expect(message.SenderNSID).toBeUndefined();
  });

  it("AppSKeyReq of an application, with the sessionKeyId of its events", () => {
    expect(
      parsed(`${head("AppSKeyReq")},"DevEUI":"0102030405060708","SessionKeyID":"0123456789abcdef0123456789abcdef"}`),
    ).toMatchObject({ SessionKeyID: "0123456789abcdef0123456789abcdef" });
  });

  it("the network server before it (ChirpStack 3) adds an empty VSExtension", () => {
    const json = `${head("JoinReq")},"VSExtension":{},${activation(joinRequest)},"CFList":""}`;
    expect(parsed(json)).toMatchObject({ MessageType: "JoinReq" });
  });

  it("it reads an answer only when it knows the result code: each of ours in version 1.0 is one of its own", () => {
    const known = [
      ...[
        "Success",
        "MICFailed",
        "JoinReqFailed",
        "NoRoamingAgreement",
        "DevRoamingDisallowed",
        "RoamingActDisallowed",
      ],
      ...[
        "ActivationDisallowed",
        "UnknownDevEUI",
        "UnknownDevAddr",
        "UnknownSender",
        "UnknownReceiver",
        "UnkownReceiver",
      ],
      ...["Deferred", "XmitFailed", "InvalidFPort", "InvalidProtocolVersion", "StaleDeviceProfile", "MalformedRequest"],
      ...["FrameSizeError", "Other"],
    ];
    for (const code of Object.keys(resultCodes) as ResultCode[]) expect(known).toContain(spelledIn(code, "1.0"));
  });

  it("its answer is addressed as it asked, in hexadecimal that it decodes", () => {
    const request = parsed(`${head("JoinReq")},${activation(joinRequest)}}`);
    const answer = encodeMessage({
      ...answerHeader(request, "JoinAns"),
      Result: { code: "Success" },
      PHYPayload: "20e3de108795f776b8037610ef7869b5b3",
      NwkSKey: { kekLabel: "ns/000013", aesKey: "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
      SessionKeyID: "0123456789abcdef",
    });
    expect(answer).toMatchObject({
      ...{ ProtocolVersion: "1.0", SenderID: "70b3d57ed0000000", ReceiverID: "000013", TransactionID: 4_294_967_295 },
      ...{ MessageType: "JoinAns", Result: { ResultCode: "Success" } },
      NwkSKey: { KEKLabel: "ns/000013", AESKey: "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
    });
  });
});
