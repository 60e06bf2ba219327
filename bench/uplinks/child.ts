/** A forked helper process that answers questions over IPC. */
import { type ChildProcess, fork } from "node:child_process";

export class Helper {
  readonly process: ChildProcess;

  /** `script` lies beside this file. */
  constructor(script: string) {
    this.process = fork(new URL(script, import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Sends `question` and waits for the message that has a field `answer`. */
  ask<T>(question: object, answer: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.process.off("message", onMessage);
        this.process.off("exit", onExit);
      };
      const onMessage = (message: { readonly [field: string]: unknown }) => {
        if (!(answer in message)) return;
        settle();
        resolve(message[answer] as T);
      };
      const onExit = () => {
        settle();
        reject(new Error(`a helper process of the benchmark ended while it was asked for ${answer}`));
      };
      this.process.on("message", onMessage);
      this.process.once("exit", onExit);
      this.process.send(question);
    });
  }

  stop(): void {
    this.process.disconnect();
  }
}
