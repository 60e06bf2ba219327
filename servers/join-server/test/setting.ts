/** A join-server in this process, its vault as a process of its own, a realm owner, networks with a certificate each, and devices. */
import { spawnSync } from "node:child_process";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Message, parseMessage } from "@trefoil/backend-interfaces";
import {
  Key,
  type KeyRole,
  type LabelledKek,
  makeKekSealedTo,
  makeOwnerKey,
  openEnvelope,
  openOwnerKey,
  parseReceiver,
  sealKeys,
  signStatement,
} from "@trefoil/custody";
import { issueCertificate, makeServerKeyAndCsr } from "@trefoil/service/certificates";
import {
  type InProcess,
  makeStranger,
  makeTestNetwork,
  startChild,
  startInProcess,
  type TestChild,
} from "@trefoil/service/testing";
import type { Address, JoinDevice, SealedKeys, SignedStatement, Statement, VaultInfo } from "@trefoil/wire";
import { joinServer } from "../src/index.ts";
import { joinEuis, netIds, type TestDevice } from "./frames.ts";

const vaultSource = fileURLToPath(new URL("../../vault/src/", import.meta.url));
const project = fileURLToPath(new URL("../../../", import.meta.url));
export type From = "ours" | "theirs" | "application" | "stranger";

type Server = Pick<InProcess, "listeners" | "lines" | "giveVaultPipe" | "stop"> & { readonly kill?: TestChild["kill"] };
export type Answer = { readonly status: number; readonly body: unknown };
export type Setting = Awaited<ReturnType<typeof makeSetting>>;
/** What a statement says, without which vault it is for and when. */
export type Saying = Statement extends infer S
  ? S extends Statement
    ? Omit<S, "version" | "vault" | "issuedAt">
    : never
  : never;

const owner = makeOwnerKey("test");
const ownerKey = openOwnerKey(owner.privateKeyPem, "test") as NonNullable<ReturnType<typeof openOwnerKey>>;
const range = (joinEui: string) => ({ first: `${joinEui.slice(0, 13)}000`, last: `${joinEui.slice(0, 13)}fff` });
const noLimits = { devicePerMinute: 0, joinEuiPerSecond: 0, peerPerSecond: 0 };

export async function makeSetting() {
  const network = await makeTestNetwork("vault", "join-server", "network-server");
  const dataDir = network.dataDir("join-server");
  const [own, theirs, application, known] = [
    network.station("network-server").tls,
    ...(await Promise.all([makeStranger(), makeStranger(), ofOwnCa()])),
  ];
  const certificates = { ours: own, theirs: theirs.tls, application: application.tls, stranger: known };
  const spkis = {
    ours: network.pins["network-server"] as string,
    theirs: theirs.spki,
    application: application.spki,
  };

  /** A certificate of the own CA that no statement names. */
  async function ofOwnCa() {
    const { keyPem, csrPem } = await makeServerKeyAndCsr("network-server");
    const { certificatePem } = await issueCertificate(network.ca, "network-server", csrPem);
    return { ...network.station("network-server").tls, key: keyPem, cert: certificatePem };
  }

  const made = spawnSync(process.execPath, [`${vaultSource}init.ts`], {
    input: JSON.stringify({ dataDir: network.dataDir("vault"), ownerPublicKey: owner.publicKey }),
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(made.stderr);
  const vaultInfo: VaultInfo = JSON.parse(made.stdout);
  const receiver = parseReceiver(vaultInfo.publicKey) as NonNullable<ReturnType<typeof parseReceiver>>;

  // As the supervisor starts it: it may read the code and its own folder.
  const folder = network.dataDir("vault");
  const fence = [
    "--permission",
    `--allow-fs-read=${project}`,
    `--allow-fs-read=${folder}`,
    `--allow-fs-write=${folder}`,
  ];

  const vaults = new Map<number, TestChild>();
  let server: Server | undefined;
  const running = () => server as Server;
  const config = { limits: noLimits };
  const pipeOf = (vault: TestChild) => vault.process.stdio[4] as Socket;

  async function startVault(instance = 0) {
    const vault = startChild(`${vaultSource}main.ts`, { ...network.boot("vault"), instance }, fence);
    await vault.ready;
    vaults.set(instance, vault);
    server?.giveVaultPipe(pipeOf(vault), instance);
  }
  async function startServer(change: object = {}) {
    server = await startInProcess(joinServer, network.boot("join-server", { ...config, ...change }));
    for (const [instance, vault] of vaults) server.giveVaultPipe(pipeOf(vault), instance);
    if (vaults.size > 0) await ready();
  }
  /** As a process of its own, to be killed. */
  async function startServerProcess() {
    const child = startChild(
      fileURLToPath(new URL("../src/main.ts", import.meta.url)),
      network.boot("join-server", config),
    );
    const giveVaultPipe = (pipe: Socket, instance = 0) => {
      if (child.process.connected) child.process.send({ vaultPipe: true, instance }, pipe);
    };
    server = {
      listeners: await child.ready,
      lines: [],
      giveVaultPipe,
      stop: async () => void (await child.stop()),
      kill: child.kill,
    };
    for (const [instance, vault] of vaults) giveVaultPipe(pipeOf(vault), instance);
    await ready();
  }
  const ready = () => until(async () => (await http("/readyz")) === "ready\n");

  const admin = (method: string, path: string, body?: unknown): Promise<Answer> => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const asked = httpRequest({ socketPath: join(dataDir, "admin.sock"), method, path, headers });
    return answered(asked, body === undefined ? undefined : JSON.stringify(body));
  };

  const http = (path: string): Promise<string> =>
    fetch(`http://127.0.0.1:${(running().listeners.http as Address).port}${path}`).then((answer) => answer.text());

  /** POSTs to the interop listener with a certificate. */
  const post = (from: From, body: unknown, { method = "POST", path = "/" } = {}): Promise<Answer> => {
    const { key, cert } = certificates[from];
    const { port } = running().listeners.interop as Address;
    const tls = {
      key,
      cert,
      ca: network.ca.certificatePem,
      agent: false,
      checkServerIdentity: () => undefined,
    } as const;
    const asked = httpsRequest({ host: "127.0.0.1", port, path, method, ...tls });
    return answered(asked, typeof body === "string" ? body : JSON.stringify(body));
  };

  let issuedAt = 0;
  const sign = (saying: Saying, key = ownerKey, vault = vaultInfo.fingerprint): SignedStatement => {
    issuedAt += 1;
    return signStatement(key, { ...saying, version: 1, vault, issuedAt } as Statement);
  };
  const say = (saying: Saying): Promise<Answer> => admin("POST", "/statements", sign(saying));
  const sayAll = async (...all: readonly Saying[]): Promise<void> => {
    for (const saying of all) {
      const { status, body } = await say(saying);
      if (status !== 200) throw new Error(`not admitted: ${JSON.stringify([saying, body])}`);
    }
  };

  /** The peers and who serves which JoinEUIs. */
  const sayPeers = () =>
    sayAll(
      { kind: "peer", name: "ours", certificate: spkis.ours, network: { netId: netIds.ours } },
      { kind: "peer", name: "theirs", certificate: spkis.theirs, network: { netId: netIds.theirs } },
      { kind: "peer", name: "application", certificate: spkis.application, asId: "trefoil-as" },
      { kind: "assignment", joinEuis: range(joinEuis.ours), network: { netId: netIds.ours }, asId: "trefoil-as" },
      { kind: "assignment", joinEuis: range(joinEuis.theirs), network: { netId: netIds.theirs }, asId: "trefoil-as" },
      { kind: "assignment", joinEuis: range(joinEuis.derived), network: { netId: netIds.ours }, asId: "trefoil-as" },
    );
  /** The KEKs of both networks and of the application server. */
  const keks: { network?: LabelledKek; theirs?: LabelledKek; application?: LabelledKek } = {};
  async function sayKeks() {
    const rows = [
      ["network", { label: "ns/000013", network: { netId: netIds.ours } }],
      ["theirs", { label: "ns/600021", network: { netId: netIds.theirs } }],
      ["application", { label: "as/trefoil-as", asId: "trefoil-as" }],
    ] as const;
    for (const [name, binding] of rows) {
      const { kek, sealed } = makeKekSealedTo(receiver, binding.label);
      keks[name] = kek;
      await sayAll({ kind: "kek", ...binding, kek: sealed });
    }
  }

  const noEui = "0".repeat(16);
  const sealRole = (role: KeyRole, key: string, names = { joinEui: noEui, devEui: noEui }): SealedKeys =>
    sealKeys(receiver, [{ key: new Key(role, Buffer.from(key, "hex")), ...names }]);
  const sealFor = (device: TestDevice, names: { readonly joinEui: string; readonly devEui: string } = device) =>
    sealKeys(
      receiver,
      Object.entries(device.keys).map(([role, key]) => ({
        key: new Key(role as KeyRole, Buffer.from(key, "hex")),
        joinEui: names.joinEui,
        devEui: names.devEui,
      })),
    );
  const row = (device: TestDevice, change: object = {}): JoinDevice => ({
    ...{ devEui: device.devEui, joinEui: device.joinEui, macVersion: device.macVersion, sealed: sealFor(device) },
    ...change,
  });

  return {
    ...{ network, dataDir, vaultInfo, receiver, keks, spkis, certificates, ownerKey, admin, http, post, ready },
    ...{ sign, say, sayAll, sayPeers, sayKeks, row, sealFor, sealRole, startVault, startServer, startServerProcess },
    lines: () => running().lines,
    stopServer: () => running().stop(),
    killServer: () => running().kill?.(),
    killVault: async (instance = 0) => {
      await vaults.get(instance)?.kill();
      vaults.delete(instance);
    },
    end: async () => {
      await server?.stop();
      for (const vault of vaults.values()) await vault.stop();
      network.remove();
    },
  };
}

function answered(asked: ReturnType<typeof httpRequest>, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.once("error", reject);
    asked.once("response", (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString() || "null") }),
      );
    });
    asked.end(body);
  });
}

/** Waits for as long as the test may take. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((done) => setTimeout(done, 5));
}

/** What the peer understands of an answer: ResultCode and Description, or the message. */
export function understood({ status, body }: Answer): {
  status: number;
  code: string;
  description?: string | undefined;
  message: Message<"JoinAns">;
} {
  const parsed = parseMessage(body);
  if (parsed.result === "refused" || !("Result" in parsed.message) || parsed.message.Result === undefined)
    throw new Error(`no answer: ${JSON.stringify(body)}`);
  const { Result } = parsed.message;
  return { status, code: Result.code, description: Result.description, message: parsed.message as Message<"JoinAns"> };
}

export function openKey(kek: LabelledKek | undefined, envelope: unknown, role: KeyRole): string {
  const opened = openEnvelope(kek as LabelledKek, envelope, role);
  if (opened.result === "refused") throw new Error(opened.code);
  return opened.key.expose((octets) => Buffer.from(octets).toString("hex"));
}
