/** `expect.poll` without a hurry: on a busy machine a second is nothing. */
import { expect } from "vitest";

export const poll = <T>(get: () => T) => expect.poll(get, { timeout: 60_000, interval: 20 });
