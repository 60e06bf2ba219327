/** A network whose vault is to be measured, and its devices: in a throw-away folder, the devices known to the join server alone. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Key, makeSealer, parseReceiver } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import type { JoinDevice, Results, VaultInfo } from "@trefoil/wire";
import { call } from "../../apps/trefoil/src/admin/client.ts";
import { isolatedConfig, throwAwayFolder } from "../../apps/trefoil/src/demo/setting.ts";
import { type Network, startNetwork } from "../../apps/trefoil/src/supervisor/network.ts";
import { decideUsers } from "../../apps/trefoil/src/supervisor/users.ts";
import { devEuiOf, joinEui, keyOf } from "./devices.ts";
import type { GeneratorStart } from "./generator.ts";
import { makeSoftHsmToken } from "./softhsm.ts";

export type JoinsOptions = {
  readonly vault: "software" | "softhsm";
  readonly devices: number;
  /** Of the vault. */
  readonly processes: number;
  readonly seconds: number;
  readonly macVersion: "1.0.4" | "1.1";
  readonly connections: number;
  readonly say: (line: string) => void;
};
export type Measured = {
  readonly dataDir: string;
  readonly config: Config;
  /** For the bare loops: what a vault of this folder is opened with. */
  readonly vaultOrder: object;
  readonly start: () => Promise<Network>;
  readonly remove: () => void;
};

const perCall = 5_000;
const noLimits = { devicePerMinute: 0, joinEuiPerSecond: 0, peerPerSecond: 0 };

export function makeSetting({ vault, processes, macVersion, seconds, say }: JoinsOptions): Measured {
  const { dataDir, remove } = throwAwayFolder();
  const base = isolatedConfig();
  const users = decideUsers(dataDir, base.users);
  const identity = users.are === "separate" ? users.of.vault : undefined;
  const engine =
    vault === "software"
      ? { engine: "software" as const }
      : { engine: "pkcs11" as const, pkcs11: makeSoftHsmToken(join(dirname(dataDir), "hsm"), identity) };
  const config: Config = {
    ...base,
    vault: { ...base.vault, ...engine, processes },
    joinServer: { ...base.joinServer, limits: noLimits },
  };
  return {
    dataDir,
    config,
    vaultOrder: {
      ...config.vault,
      dataDir: join(dataDir, "vault"),
      macVersion,
      seconds,
      ...(identity && { identity }),
    },
    start: () =>
      startNetwork({
        config,
        dataDir,
        log: (_, line) => say(line),
        onHopeless: (failure) => say(`bench: ${failure.message}`),
      }),
    remove,
  };
}

/** As any device is registered: its keys sealed to the vault, all of a run under one transport key. */
export async function register({ dataDir }: Measured, { devices, macVersion, say }: JoinsOptions): Promise<void> {
  const { publicKey } = await call<VaultInfo>(dataDir, "join-server", "GET", "/vault");
  const receiver = parseReceiver(publicKey);
  if (receiver === undefined) throw new Error("the vault has no public key");
  using sealer = makeSealer(receiver);
  const roles = macVersion === "1.1" ? (["NwkKey", "AppKey"] as const) : (["AppKey"] as const);
  const rowOf = (i: number): JoinDevice => {
    const devEui = devEuiOf(i);
    const keys = roles.map((role) => ({ key: new Key(role, keyOf(role, i)), joinEui, devEui }));
    return { devEui, joinEui, macVersion, sealed: sealer.seal(keys), origin: "generated" };
  };
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < devices) {
      const from = next;
      next = Math.min(devices, from + perCall);
      const rows = Array.from({ length: next - from }, (_, i) => rowOf(from + i));
      const { results } = await call<Results>(dataDir, "join-server", "POST", "/devices", rows);
      const refused = results.find(({ ok }) => !ok);
      if (refused && !refused.ok) throw new Error(`a device was refused: ${refused.message} (${refused.code})`);
      done += rows.length;
      if (devices > perCall && done % 50_000 < perCall) say(`bench: ${done} of ${devices} devices registered`);
    }
  };
  await Promise.all([worker(), worker()]);
}

/** The requester has the network server's certificate, and speaks for its NetID. */
export function requester({ dataDir, config }: Measured, network: Network, options: JoinsOptions): GeneratorStart {
  const address = network.running()["join-server"]?.listeners.interop;
  if (!address) throw new Error("the join-server does not listen");
  const file = (name: string) => readFileSync(join(dataDir, "network-server", name), "utf8");
  const { connections, devices, macVersion } = options;
  return {
    ...address,
    tls: { key: file("tls.key"), cert: file("tls.crt"), ca: file("ca.crt") },
    connections,
    devices,
    netId: config.network.netId,
    macVersion,
  };
}
