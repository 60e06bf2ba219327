/**
 * The vault's end of the pipe. Requests are computed one after the other, synchronously; an answer leaves when the audit log's entries that
 * it made are on the disk. While too many wait, nothing is read: memory stays bounded however much is asked.
 */
import type { Duplex } from "node:stream";
import { encodePipeFrame, readPipeFrames } from "@trefoil/custody";
import { describeError, type Log } from "@trefoil/service";
import type { AuditLog } from "./audit-log/writer.ts";
import { answer, type Operations } from "./operations.ts";

const mostWaiting = 2_000;
const mostWaitingOctets = 32 << 20;

type Waiting = { readonly frame: Buffer; readonly entry: number };

/** Returns what makes it deaf: answers that wait still leave, nothing more is read. */
export function answerPipe(
  pipe: Duplex,
  all: Operations,
  auditLog: Pick<AuditLog, "last" | "durable" | "watch">,
  log: Pick<Log, "error" | "warn">,
  onFailed: (error: Error) => void,
): () => void {
  let deaf = false;
  let waiting: Waiting[] = [];
  let octets = 0;

  const flow = () => {
    if (deaf || waiting.length > mostWaiting || octets > mostWaitingOctets || pipe.writableNeedDrain) pipe.pause();
    else if (pipe.isPaused()) pipe.resume();
  };
  const send = (frame: Buffer) => {
    if (!pipe.destroyed) pipe.write(frame);
  };
  auditLog.watch(() => {
    const ready = waiting.findIndex(({ entry }) => entry > auditLog.durable);
    pipe.cork(); // one write for all of them
    for (const { frame } of waiting.splice(0, ready < 0 ? waiting.length : ready)) {
      octets -= frame.length;
      send(frame);
    }
    pipe.uncork();
    flow();
  }, onFailed);
  pipe.on("drain", flow);
  pipe.on("error", () => pipe.destroy());
  pipe.once("close", () => {
    waiting = [];
    octets = 0;
  });

  readPipeFrames(pipe, (request) => {
    if (deaf) return;
    const before = auditLog.last;
    const answered = answer(all, request, (method, error) =>
      log.error({ method, err: describeError(error) }, "a request failed"),
    );
    if (answered === undefined) {
      log.warn("what came over the pipe is no request: the pipe is closed");
      return void pipe.destroy();
    }
    const frame = encodePipeFrame(answered);
    if (auditLog.last === before) send(frame);
    else {
      waiting.push({ frame, entry: auditLog.last });
      octets += frame.length;
    }
    flow();
  });
  return () => {
    deaf = true;
    flow();
  };
}
