/** The simulator's load generator, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../apps/simulator/src/load/main.ts", import.meta.url));

export type GeneratorReport = {
  readonly is: "ready" | "report" | "end";
  readonly sent: number;
  readonly acked: number;
  /** What the generator itself was too slow to send. */
  readonly skipped: number;
  readonly perSecond: number;
};

export class Generator {
  readonly #child: ChildProcess;
  #last: GeneratorReport = { is: "ready", sent: 0, acked: 0, skipped: 0, perSecond: 0 };
  #listeners: ((report: GeneratorReport) => void)[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout) throw new Error("unreachable: stdout is a pipe");
    createInterface({ input: child.stdout }).on("line", (line) => {
      const report = JSON.parse(line) as GeneratorReport;
      if (report.is !== "ready") this.#last = report;
      const listeners = this.#listeners;
      this.#listeners = [];
      for (const listener of listeners) listener(report);
    });
  }

  /** Resolves when it has built its first datagrams and its gateways are connected. */
  static async start(port: number, devices: number, seed: number, gateways: number): Promise<Generator> {
    const args = [
      "--server",
      `127.0.0.1:${port}`,
      "--devices",
      String(devices),
      "--seed",
      String(seed),
      "--gateways",
      String(gateways),
    ];
    const child = spawn(process.execPath, [main, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    const generator = new Generator(child);
    const ended = once(child, "exit").then(() => {
      throw new Error("the load generator ended before it was ready");
    });
    while ((await Promise.race([generator.#next(), ended])).is !== "ready");
    ended.catch(() => undefined);
    return generator;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  setRate(perSecond: number): void {
    this.#child.stdin?.write(`rate ${perSecond}\n`);
  }

  /** Stops sending and tells how many have been sent in all. */
  async pause(): Promise<GeneratorReport> {
    this.setRate(0);
    await this.#next(); // may still hold some of the last rate
    return this.#next();
  }
  get last(): GeneratorReport {
    return this.#last;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGTERM");
    await once(this.#child, "exit");
  }

  #next(): Promise<GeneratorReport> {
    return new Promise((resolve) => this.#listeners.push(resolve));
  }
}
