/** The vault as a process: opens its keys, then answers its one pipe. No network, no listener, no administration. */
import type { Duplex } from "node:stream";
import { encodePipeFrame, readPipeFrames } from "@trefoil/custody";
import { type Context, type Definition, describeError, Fault, type Log, openVaultPipe } from "@trefoil/service";
import { answer, type Operations, operations } from "./operations.ts";
import { softwareToken } from "./software-token.ts";
import { openVaultFile, readRegistrations, saveRegistrations } from "./vault-file.ts";

/** A vault whose join server is gone has nothing to do: it ends, and the supervisor starts it with a new pipe. */
const orphanedAfterMs = 1_000;

export const vault: Definition<"vault"> = {
  role: "vault",
  http: false,
  start(ctx) {
    const token = softwareToken(openVaultFile(ctx.dataDir, passphraseFile(ctx)));
    const all = operations(token, {
      stored: readRegistrations(ctx.dataDir),
      save: (registrations) => saveRegistrations(ctx.dataDir, registrations),
    });
    ctx.log.info(
      { engine: token.engine, fingerprint: token.published.fingerprint, keks: all.keks({})?.length ?? 0 },
      "vault open",
    );
    if (token.engine === "software")
      ctx.log.warn("this vault is software: its keys are in this process, not in a token");

    const pipe = openVaultPipe();
    answerPipe(pipe, all, ctx.log);
    let orphaned: NodeJS.Timeout | undefined;
    pipe.once("close", () => {
      orphaned = setTimeout(
        () => ctx.fail(new Fault("vault/orphaned", "the join server's end of the pipe is gone")),
        orphanedAfterMs,
      );
    });
    ctx.onStop(() => {
      pipe.removeAllListeners("close");
      clearTimeout(orphaned);
      pipe.destroy();
    });
  },
};

/** Answers requests in the order they come: every operation is synchronous. */
export function answerPipe(pipe: Duplex, all: Operations, log: Pick<Log, "error" | "warn">): void {
  pipe.on("error", () => pipe.destroy());
  readPipeFrames(pipe, (request) => {
    const answered = answer(all, request, (method, error) =>
      log.error({ method, err: describeError(error) }, "a request failed"),
    );
    if (answered !== undefined) return void pipe.write(encodePipeFrame(answered));
    log.warn("what came over the pipe is no request: the pipe is closed");
    pipe.destroy();
  });
}

/** `vault.passphraseFile`, where the configuration has it. */
function passphraseFile({ config }: Context<"vault", never, undefined>): string | undefined {
  const { passphraseFile: path } = (config ?? {}) as { readonly passphraseFile?: unknown };
  return typeof path === "string" ? path : undefined;
}
