/** One whole proof: a network with fresh keys, everything played on it, everything searched, a verdict. */
import { dirname, join } from "node:path";
import type { Config } from "@trefoil/service";
import { isolatedConfig, throwAwayFolder } from "../demo/setting.ts";
import { isProven, judge, type Verdict } from "./judge.ts";
import { Known, serversOwnKeys } from "./known.ts";
import { type Leak, leakPlanter } from "./leaks.ts";
import { type Counts, kindOf, play } from "./play.ts";
import { furnish, gateways, makeRealm, masterSecrets } from "./realm.ts";
import { startApart } from "./running.ts";
import { makeToken, tokenSecrets } from "./softhsm.ts";
import { type Look, type Planter, Watch } from "./watch.ts";

export type Engine = "software" | "softhsm";
export type Proof = Verdict &
  Counts & {
    readonly engine: Engine;
    readonly proven: boolean;
    readonly sessions: number;
    readonly secrets: number;
    readonly looks: readonly Look[];
    /** Marks at which no process was ever seen to stand: nothing is known of these moments. */
    readonly unseen: readonly string[];
    /** Leaks that were ordered and left. */
    readonly left: readonly Leak[];
  };
export type ProofOptions = {
  readonly engine: Engine;
  readonly note: (text: string) => void;
  /** To see it fail: copies that servers leave behind. */
  readonly leaks?: readonly Leak[];
};

export async function prove({ engine, note, leaks = [] }: ProofOptions): Promise<Proof> {
  const { dataDir, remove } = throwAwayFolder();
  const folder = dirname(dataDir);
  process.on("exit", remove);
  try {
    const isolated: Config = isolatedConfig();
    // Everything that there is to log, to be searched.
    const plain: Config = { ...isolated, log: { level: "trace", format: "json" } };
    const token = engine === "softhsm" ? makeToken(join(folder, "softhsm"), dataDir, plain) : undefined;
    const config = token ? { ...plain, vault: token.vault } : plain;
    note(`Starting a network with fresh keys, its vault ${engine} …`);
    const network = await startApart(config, folder, token ? [{ holder: "vault", folder: token.folder }] : []);
    const { records } = network;
    process.prependListener("exit", network.abandon);
    try {
      const realm = makeRealm();
      const { devices } = realm;
      const credential = await furnish(dataDir, config, realm);
      const fixed = [...serversOwnKeys(dataDir), ...masterSecrets(realm), ...(token ? tokenSecrets(token) : [])];
      const known = new Known(devices, config.network.netId, fixed);
      const kinds = new Map(devices.map((device) => [device.devEui, kindOf(device)]));
      const kindAt = (devEui: string, isRejoin: boolean) => (isRejoin ? "rejoin" : (kinds.get(devEui) ?? "1.0.x join"));
      const left: Leak[] = [];
      const leaking = leakPlanter(leaks, network, known, left);
      // Late: what was seen until then shows that the network itself does nothing of the kind.
      let planter: Planter = () => [];
      const watch = new Watch(network, known, kindAt, (standing) => planter(standing));
      const beforeTheLast = () => {
        planter = leaking;
      };
      note("Playing joins and traffic both ways, and searching at every marked point …");
      const stage = { network, config, devices, gateways, credential, known, watch, beforeTheLast };
      const counts = await play(stage, () => {
        note("Searching everything once more …");
        return watch.look("afterwards", true);
      });
      await network.stop();
      watch.afterwards("when all has ended");
      const secrets = known.secrets(records);
      const verdict = judge(watch.finds, secrets);
      const unseen = (["1.0.x join", "1.1 join", "rejoin", "traffic"] as const).flatMap((kind) => watch.missing(kind));
      return {
        ...{ engine, proven: isProven(verdict) && unseen.length === 0 },
        ...{ ...counts, sessions: known.sessions, secrets: secrets.length, looks: watch.looks, unseen, left },
        ...verdict,
      };
    } finally {
      await network.stop();
      process.off("exit", network.abandon);
      records.close();
    }
  } finally {
    remove();
    process.off("exit", remove);
  }
}
