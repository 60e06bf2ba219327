/** The vault as a process: opens its keys, then answers its one pipe. No network, no listener, no administration. */
import { type Definition, Fault, openVaultPipe } from "@trefoil/service";
import { openAuditLog } from "./audit-log/writer.ts";
import { withEngine } from "./engine.ts";
import { operations } from "./operations.ts";
import { answerPipe } from "./pipe.ts";
import { loadAddOn } from "./pkcs11/index.ts";

/** A vault whose join server is gone has nothing to do: it ends, and the supervisor starts it with a new pipe. */
const orphanedAfterMs = 1_000;

export const vault: Definition<"vault"> = {
  role: "vault",
  http: false,
  /** Native code can be loaded before the drop of rights alone, and only where the supervisor allows it. */
  async prepare() {
    if (process.permission?.has("addon")) loadAddOn();
    return undefined;
  },
  start({ boot, config, dataDir, log, onStop, fail }) {
    const { all, auditLog, close } = withEngine(dataDir, config, (token) => {
      const auditLog = openAuditLog({ dataDir, instance: boot.instance ?? 0, token });
      return { all: operations({ token, dataDir, log: auditLog }), auditLog, close: () => token.close() };
    });
    const status = all.status({});
    const info = all.info({});
    log.info({ engine: info?.engine, place: status?.place, fingerprint: info?.fingerprint }, "vault open");
    if (status?.engine === "software") log.warn("this vault is software: its keys are in this process, not in a token");
    if (status !== undefined && status.damaged.length > 0)
      log.error({ damaged: status.damaged }, "keys are missing or damaged: what needs them is refused");

    const pipe = openVaultPipe();
    const stopListening = answerPipe(pipe, all, auditLog, log, (cause) =>
      fail(new Fault("vault/audit-log-failed", "the audit log cannot be written: nothing is answered", { cause })),
    );
    let orphaned: NodeJS.Timeout | undefined;
    const onClose = () => {
      orphaned = setTimeout(
        () => fail(new Fault("vault/orphaned", "the join server's end of the pipe is gone")),
        orphanedAfterMs,
      );
    };
    pipe.once("close", onClose);
    onStop(async () => {
      pipe.off("close", onClose);
      clearTimeout(orphaned);
      stopListening();
      await auditLog.close(); // answers that waited for it leave
      pipe.destroySoon();
      close();
    });
  },
};
