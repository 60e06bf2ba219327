/**
 * docs/beside and docs/importing.md, done as they say: the commands are read from the pages; The Things Stack and ChirpStack are played
 * with their own certificates and messages; devices come from files.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { unwrapKey } from "@trefoil/custody";
import { cmac4 } from "@trefoil/lorawan";
import type { ExposureRow } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Alone, joinNonceIn, run, startAlone } from "./alone.ts";

const docs = fileURLToPath(new URL("../../../docs/", import.meta.url));
const joinEui = "70b3d57ed0000001";
const appKey = Buffer.from("2b7e151628aed2a6abf7158809cf4f3c", "hex");
const devEui = (n: number) => `00112233445566${n.toString(16).padStart(2, "0")}`;

let net: Alone;
const keks = new Map<string, Buffer>();
beforeAll(async () => {
  net = await startAlone();
}, 120_000);
afterAll(() => net?.close());

/** The commands of a section of a page, run as they stand there. Certificates go beside the data folder. */
async function follow(page: string, heading: string): Promise<void> {
  const section = readFileSync(join(docs, page), "utf8").split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("./trefoil "));
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) {
    const words = (line.split("#")[0] ?? "").trim().split(/\s+/).slice(1);
    const args = words.map((word, i) => (words[i - 1] === "--new-certificate" ? net.file(word) : word));
    const answer = await net.say<{ label?: string; kek?: string }>(args);
    if (answer.kek !== undefined) keks.set(answer.label as string, Buffer.from(answer.kek, "hex"));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at member by member
async function post(certificate: string, body: string): Promise<any> {
  const { port } = net.address("join-server", "interop");
  const [key, cert] = [".key", ".crt"].map((end) => readFileSync(net.file(certificate + end), "utf8"));
  const ca = readFileSync(join(net.dataDir, "owner", "ca.crt"), "utf8");
  const headers = { "content-type": "application/json" };
  const asked = request({ host: "127.0.0.1", port, method: "POST", path: "/", key, cert, ca, headers, agent: false });
  asked.end(body);
  const [answer] = await once(asked, "response");
  return json(answer);
}

function joinRequest(device: string, devNonce: number): string {
  const reversed = (hex: string) => Buffer.from(hex, "hex").reverse();
  const nonce = Buffer.of(devNonce & 255, devNonce >> 8);
  const message = Buffer.concat([Buffer.of(0), reversed(joinEui), reversed(device), nonce]);
  return Buffer.concat([message, cmac4(appKey, message)]).toString("hex");
}

const chirpStack = (device: string, devNonce: number, version = "1.0.3") =>
  JSON.stringify({
    ...{ ProtocolVersion: "1.0", SenderID: "600021", ReceiverID: joinEui, TransactionID: 4_000_000_000 + devNonce },
    ...{ MessageType: "JoinReq", MACVersion: version, PHYPayload: joinRequest(device, devNonce), DevEUI: device },
    ...{ DevAddr: "26000001", DLSettings: "00", RxDelay: 1, CFList: "184f84e85684b85e84886684586e8400" },
  });

test("importing: The Things Stack's CSV and JSON into a Join Server alone; history goes on, the report says what is unknown", async () => {
  const key = appKey.toString("hex").toUpperCase();
  writeFileSync(
    net.file("devices.csv"),
    `dev_eui;join_eui;app_key;lorawan_version\n${devEui(1)};${joinEui};${key};1.0.3\n${devEui(2)};${joinEui};${key}0;1.0.3\n`,
  );
  const { code, out } = await run([
    ...["device", "import", net.file("devices.csv"), "--report", net.file("failed.jsonl"), "--json"],
    ...["--config", net.file("trefoil.yaml"), "--data", net.dataDir],
  ]);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ rows: 2, imported: 1, failed: [{ line: 3, code: "import/key" }] });
  expect(JSON.parse(out).notes[0]).toContain("65,536");
  expect(JSON.parse(readFileSync(net.file("failed.jsonl"), "utf8"))).toMatchObject({ row: 2, devEui: devEui(2) });

  const exported = {
    ids: { device_id: "meter", dev_eui: devEui(3).toUpperCase(), join_eui: joinEui.toUpperCase() },
    ...{ lorawan_version: "MAC_V1_0_3", supports_join: true, root_keys: { app_key: { key } } },
    ...{ used_dev_nonces: [4, 5], last_join_nonce: 99 },
  };
  writeFileSync(net.file("devices.json"), JSON.stringify(exported, null, 2));
  expect(await net.say(["device", "import", net.file("devices.json")])).toMatchObject({ imported: 1, notes: [] });
  expect(await net.refused(["device", "import", net.file("nothing.csv")])).toBe("import/not-found");
});

test("importing: what a maker sealed with docs/examples and signed counts as never exposed, once the maker is registered", async () => {
  await net.say(["vault", "key", "--out", net.file("vault.txt")]);
  const openssl = (...args: string[]) => expect(spawnSync("openssl", args).status).toBe(0);
  openssl("genpkey", "-algorithm", "ed25519", "-out", net.file("maker.pem"));
  openssl("pkey", "-in", net.file("maker.pem"), "-pubout", "-out", net.file("maker.pub"));
  const seal = [join(docs, "examples/seal-with-openssl.sh"), net.file("vault.txt"), "AppKey", joinEui, devEui(4)];
  const sealed = spawnSync("sh", [...seal, net.file("maker.pem")], { input: appKey.toString("hex") });
  writeFileSync(net.file("sealed.json"), sealed.stdout);
  const about = ["--config", net.file("trefoil.yaml"), "--data", net.dataDir, "--json"];
  const early = await run(["device", "import", net.file("sealed.json"), ...about]);
  expect(JSON.parse(early.out)).toMatchObject({ imported: 0, failed: [{ code: "import/provision" }] });
  const range = ["--join-euis", "70b3d57ed0000000-70b3d57ed00000ff"];
  await net.say(["provisioner", "add", "maker", "--public-key", net.file("maker.pub"), ...range]);
  expect(await net.say(["device", "import", net.file("sealed.json")])).toMatchObject({ imported: 1 });
  const rows = await net.say<ExposureRow[]>(["exposure", "list"]);
  expect(Object.fromEntries(rows.map((row) => [row.devEui, row.provenance]))).toEqual({
    [devEui(1)]: "file",
    [devEui(3)]: "file",
    [devEui(4)]: "provisioner",
  });
});

test("beside ChirpStack: it gets network keys, the application fetches its AppSKey by the session's id, and nobody else does", async () => {
  await follow("beside/chirpstack.md", "On your side");
  expect([...keks].map(([label, kek]) => [label, kek.length])).toEqual([
    ["ns/600021", 16],
    ["as/plant-7", 32],
  ]);
  const answer = await post("chirpstack", chirpStack(devEui(1), 1));
  expect(answer).toMatchObject({
    Result: { ResultCode: "Success" },
    TransactionID: 4_000_000_001,
    ReceiverID: "600021",
  });
  expect(joinNonceIn(answer.PHYPayload, { devEui: devEui(1), joinEui, appKey })).toBeGreaterThanOrEqual(65_536);
  const opened = (label: string, { AESKey }: { AESKey: string }) =>
    unwrapKey(keks.get(label) as Buffer, Buffer.from(AESKey, "hex"));
  expect(answer.NwkSKey.KEKLabel).toBe("ns/600021");
  expect(opened("ns/600021", answer.NwkSKey)).toHaveLength(16);
  expect(opened("ns/600021", answer.AppSKey)).toBeUndefined();

  const ask = readFileSync(join(docs, "beside/chirpstack.md"), "utf8").split("--data '")[1]?.split("'\n")[0] ?? "";
  const body = ask
    .replace("<JoinEUI>", joinEui)
    .replace("<DevEUI>", devEui(1))
    .replace("<sessionKeyId>", answer.SessionKeyID);
  const { AppSKey, Result } = await post("plant-7", body);
  expect(Result.ResultCode).toBe("Success");
  expect(AppSKey.KEKLabel).toBe("as/plant-7");
  expect(opened("as/plant-7", AppSKey)).toHaveLength(16);
  expect((await post("chirpstack", body)).Result.ResultCode).toBe("UnknownSender");
  expect((await post("chirpstack", chirpStack(devEui(1), 2, "1.1"))).Result).toMatchObject({
    ResultCode: "JoinReqFailed",
    Description: "join/version",
  });
});

test("the history that came along counts: used DevNonces are refused, JoinNonce goes on", async () => {
  expect((await post("chirpstack", chirpStack(devEui(3), 5))).Result.ResultCode).toBe("JoinReqFailed");
  const { PHYPayload } = await post("chirpstack", chirpStack(devEui(3), 6));
  expect(joinNonceIn(PHYPayload, { devEui: devEui(3), joinEui, appKey })).toBe(100);
});

test("beside The Things Stack: after the move the keys are for it, in both versions of Backend Interfaces, and ChirpStack gets none", async () => {
  const labels = ["ns/000013", "as/tts-as"];
  await net.say(["peer", "revoke", "chirpstack"]);
  await follow("beside/the-things-stack.md", "On your side");
  for (const [i, version] of ["1.0", "1.1"].entries()) {
    const nonce = 20 + i;
    const body =
      `{"ProtocolVersion":"${version}","TransactionID":0,"MessageType":"JoinReq","SenderID":"000013","ReceiverID":"${joinEui.toUpperCase()}",` +
      `"MACVersion":"1.0.4","PHYPayload":"${joinRequest(devEui(4), nonce).toUpperCase()}","DevEUI":"${devEui(4).toUpperCase()}",` +
      `"DevAddr":"26000002","DLSettings":"00","RxDelay":5,"CFList":""}\n`;
    const answer = await post("tts", body);
    expect(answer).toMatchObject({ ProtocolVersion: version, Result: { ResultCode: "Success" }, TransactionID: 0 });
    expect([answer.NwkSKey.KEKLabel, answer.AppSKey.KEKLabel]).toEqual(labels);
    for (const [label, { AESKey }] of [
      [labels[0], answer.NwkSKey],
      [labels[1], answer.AppSKey],
    ] as const)
      expect(unwrapKey(keks.get(label as string) as Buffer, Buffer.from(AESKey, "hex"))).toHaveLength(16);
  }
  await expect(post("chirpstack", chirpStack(devEui(1), 30))).rejects.toThrow();
});
