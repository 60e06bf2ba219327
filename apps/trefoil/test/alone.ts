/** A Join Server alone, run by the supervisor; commands as a person gives them; peers that speak TS002 to it; devices that join. */
import { spawn } from "node:child_process";
import { createCipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { dirname, join } from "node:path";
import { json, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { cmac4 } from "@trefoil/lorawan";
import type { Config } from "@trefoil/service";
import { isolatedConfig } from "../src/demo/setting.ts";
import { makeProgram } from "../src/program.ts";
import { startTestNetwork, type TestNetwork } from "./kit.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** A command: in this process, which is faster, or in one of its own, where it reads its standard input. */
export const run = (args: readonly string[], input?: string): Promise<Ran> =>
  input === undefined ? runHere(args) : runApart(args, input);

async function runApart(args: readonly string[], input: string): Promise<Ran> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, out, err };
}

async function runHere(args: readonly string[]): Promise<Ran> {
  const said = { out: "", err: "" };
  const former = [process.stdout.write, process.stderr.write, process.exitCode] as const;
  const keep = (where: keyof typeof said) =>
    ((part: string) => {
      said[where] += part;
      return true;
    }) as typeof process.stdout.write;
  process.stdout.write = keep("out");
  process.stderr.write = keep("err");
  process.exitCode = 0;
  try {
    await makeProgram().parseAsync([...args], { from: "user" });
    return { code: process.exitCode, ...said };
  } finally {
    [process.stdout.write, process.stderr.write, process.exitCode] = former;
  }
}

export type Alone = TestNetwork & {
  /** A command about this network; throws when it fails. Its answer as with --json. */
  readonly say: <T = unknown>(args: readonly string[], input?: string) => Promise<T>;
  /** Likewise, for commands that shall fail: their code. */
  readonly refused: (args: readonly string[], input?: string) => Promise<string>;
  readonly file: (name: string) => string;
};

export async function startAlone(
  vault: Partial<Config["vault"]> = {},
  deployment: "join-server" | "network" = "join-server",
): Promise<Alone> {
  const isolated = isolatedConfig();
  const limits = { devicePerMinute: 0, joinEuiPerSecond: 0, peerPerSecond: 0 };
  const config = {
    ...isolated,
    vault: { ...isolated.vault, ...vault },
    joinServer: { ...isolated.joinServer, limits },
  };
  const net = await startTestNetwork({ config, deployment, livedWellMs: 0 });
  return Object.assign(net, commandsOf(net.dataDir, config));
}

/** Commands about a data folder, with files beside it. */
export function commandsOf(dataDir: string, config: Config) {
  const file = (name: string) => join(dirname(dataDir), name);
  writeFileSync(file("trefoil.yaml"), JSON.stringify(config));
  const about = ["--config", file("trefoil.yaml"), "--data", dataDir, "--json"];
  return {
    file,
    say: async <T>(args: readonly string[], input?: string): Promise<T> => {
      const { code, out, err } = await run([...args, ...about], input);
      if (code !== 0) throw new Error(`${args.join(" ")}: ${err}${out}`);
      return JSON.parse(out) as T;
    },
    refused: async (args: readonly string[], input?: string): Promise<string> => {
      const { code, out, err } = await run([...args, ...about], input);
      if (code === 0) throw new Error(`${args.join(" ")} was not refused: ${out}`);
      return (JSON.parse(err) as { error: { code: string } }).error.code;
    },
  };
}

/** A network or application server of somebody else, with a certificate that `peer add --new-certificate` made. */
export type Peer = { readonly netId: string; readonly cert: string; readonly key: string };

export async function addPeer(net: Alone, name: string, netId: string, asId: string): Promise<Peer> {
  await net.say(["peer", "add", name, "--net-id", netId, "--as-id", asId, "--new-certificate", net.file(name)]);
  return {
    netId,
    cert: readFileSync(net.file(`${name}.crt`), "utf8"),
    key: readFileSync(net.file(`${name}.key`), "utf8"),
  };
}

export type JoiningDevice = { readonly devEui: string; readonly joinEui: string; readonly appKey: Buffer };
let made = 0;
export function makeJoiningDevice(joinEui = "70b3d57ed0000001"): JoiningDevice {
  made++;
  return { devEui: `00112233${made.toString(16).padStart(8, "0")}`, joinEui, appKey: randomBytes(16) };
}

const reversed = (hex: string) => Buffer.from(hex, "hex").reverse();

/** The join-request on the air. TS001-1.0.4 §6.2.4 */
function joinRequest({ devEui, joinEui, appKey }: JoiningDevice, devNonce: number): string {
  const message = Buffer.concat([
    Buffer.of(0),
    reversed(joinEui),
    reversed(devEui),
    Buffer.of(devNonce & 255, devNonce >> 8),
  ]);
  return Buffer.concat([message, cmac4(appKey, message)]).toString("hex");
}

/** What the device reads in its join-accept: it encrypts what the Join Server decrypted. TS001-1.0.4 §6.2.5 */
export function joinNonceIn(phyPayload: string, { appKey }: JoiningDevice): number {
  const cipher = createCipheriv("aes-128-ecb", appKey, null).setAutoPadding(false);
  return cipher.update(Buffer.from(phyPayload, "hex").subarray(1)).readUIntLE(0, 3);
}

type Envelope = { readonly KEKLabel?: string; readonly AESKey: string };
export type JoinAns = {
  readonly Result: { readonly ResultCode: string };
  readonly PHYPayload?: string;
  readonly NwkSKey?: Envelope;
  readonly AppSKey?: Envelope;
};
let transactions = 0;

/** One JoinReq (TS002-1.0.0 §14), answered. */
export async function join_(net: Alone, peer: Peer, device: JoiningDevice, devNonce: number): Promise<JoinAns> {
  const { port } = net.address("join-server", "interop");
  const asked = request({
    host: "127.0.0.1",
    port,
    method: "POST",
    path: "/",
    key: peer.key,
    cert: peer.cert,
    ca: readFileSync(join(net.dataDir, "owner", "ca.crt"), "utf8"),
    agent: false,
  });
  asked.end(
    JSON.stringify({
      ProtocolVersion: "1.0",
      MessageType: "JoinReq",
      SenderID: peer.netId,
      ReceiverID: device.joinEui,
      TransactionID: ++transactions,
      MACVersion: "1.0.4",
      PHYPayload: joinRequest(device, devNonce),
      DevEUI: device.devEui,
      DevAddr: "26011bda",
      DLSettings: "00",
      RxDelay: 1,
    }),
  );
  const [answer] = await once(asked, "response");
  return (await json(answer)) as JoinAns;
}

/** A JoinServer that forgets its peers would be no test: what `kek make` shows is entered by hand at the peer. */
export async function makeKeks(net: Alone, { netId }: Peer, asId: string) {
  const [network, application] = [
    await net.say<{ kek: string; label: string }>(["kek", "make", "--net-id", netId, "--label", `ns-${netId}`]),
    await net.say<{ kek: string; label: string }>(["kek", "make", "--as-id", asId, "--label", asId]),
  ];
  return { network, application };
}

export const registerDevice = (net: Alone, id: string, device: JoiningDevice) =>
  net.say(
    ["device", "create", id, "--dev-eui", device.devEui, "--join-eui", device.joinEui],
    device.appKey.toString("hex"),
  );
