/** The PULL_RESPs of one gateway that wait for their TX_ACK, by token. */
import { randomInt } from "node:crypto";
import type { TxAck } from "../semtech/tx-ack.ts";

/** Forwarders answer within milliseconds and the way there. */
export const txAckTimeoutMs = 2_000;

export class TxAcks {
  readonly #waiting = new Map<number, (ack: TxAck | undefined) => void>();

  /** A token that is in use for nothing else, hard to guess for whoever forges TX_ACKs. */
  newToken(): number {
    for (;;) {
      const token = randomInt(0x10000);
      if (!this.#waiting.has(token)) return token;
    }
  }

  /** The gateway's answer; `undefined` when none came in time. */
  wait(token: number, timeoutMs = txAckTimeoutMs): Promise<TxAck | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      const settle = (ack: TxAck | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(token);
        resolve(ack);
      };
      this.#waiting.set(token, settle);
    });
  }

  /** False for a token that nobody waits for: late, repeated, or forged. */
  arrived(token: number, ack: TxAck): boolean {
    const settle = this.#waiting.get(token);
    settle?.(ack);
    return settle !== undefined;
  }
}
