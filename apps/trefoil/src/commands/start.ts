/** `trefoil start` (npm start): the network in the foreground, until Ctrl-C. */
import type { Command } from "commander";
import { logSink } from "../supervisor/log.ts";
import { startNetwork } from "../supervisor/network.ts";
import type { Deployment } from "../supervisor/processes.ts";
import { firstScreen, type Screen } from "../supervisor/screen.ts";
import { type Output, UserError } from "./output.ts";
import { loadSettings, type Settings } from "./realm.ts";
import { action, optionsOf } from "./run.ts";

export function addStartCommand(program: Command): void {
  program
    .command("start")
    .description("run the network on this machine (npm start)")
    .action(
      action(async (out: Output, command) =>
        runInForeground(out, loadSettings(optionsOf(command)), "network", firstScreen),
      ),
    );
}

/** Runs it, shows its first screen, and stops it when asked to, or when only a person can help. */
export async function runInForeground(
  out: Output,
  settings: Settings,
  deployment: Deployment,
  screen: (facts: Screen) => string,
): Promise<void> {
  const { config, dataDir } = settings;
  const stopAsked = signalled();
  const hopeless = Promise.withResolvers<never>();
  hopeless.promise.catch(() => undefined);
  const network = await startNetwork({
    config,
    dataDir,
    deployment,
    log: logSink(config.log, process.stdout),
    onHopeless: (failure) => hopeless.reject(new UserError(failure.failure.code, failure.message)),
  });
  const running = network.running();
  out.result({ running, dataDir }, () => screen({ config, users: network.users, running, dataDir }));
  try {
    await Promise.race([stopAsked, hopeless.promise]);
  } finally {
    out.note("Stopping …");
    await network.stop();
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let askedAt = 0;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        // A signal to the whole group reaches us twice: from its sender, and handed on by the launcher.
        if (askedAt > 0 && Date.now() - askedAt > 500) process.exit(130);
        askedAt ||= Date.now();
        resolve();
      });
    }
  });
}
