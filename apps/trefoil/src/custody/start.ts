/**
 * The supervisor of a custody run, as a process of its own: `trefoil start`, but that every process it starts gets the verifier's tap.
 *
 *   node --import TAP start.ts CONFIGURATION DATA-FOLDER TAP-FOLDER
 *
 * Standard output: log lines, and one line {"running":…} when all is up. SIGTERM stops the network.
 */
import { loadSettings } from "../commands/realm.ts";
import { signalled } from "../commands/start.ts";
import { startNetwork } from "../supervisor/network.ts";
import { tapFlags } from "./tap/flags.ts";

const [configFile = "", data = "", tapFolder = ""] = process.argv.slice(2);
const { config, dataDir } = loadSettings({ config: configFile, data });
const print = (line: string) => void process.stdout.write(`${line}\n`);
const stopAsked = signalled();
const network = await startNetwork({
  config,
  dataDir,
  log: (_role, line) => print(line),
  onHopeless: (failure) => print(`hopeless: ${failure.message}`),
  nodeFlags: tapFlags(tapFolder),
});
print(JSON.stringify({ running: network.running() }));
await stopAsked;
await network.stop();
