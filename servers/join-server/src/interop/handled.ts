/** How a message ended. */
import type { Message } from "@trefoil/backend-interfaces";
import { Fault } from "@trefoil/service";
import type { Outcome } from "../outcomes.ts";

export type Handled = {
  readonly outcome: Outcome;
  readonly devEui?: string;
  /** Which field was wrong, or the like: for the audit trail. */
  readonly detail?: string;
  /** The answer, ready to send: where the outcome is a success that says more than its Result. */
  readonly json?: string;
  readonly message?: Message;
};

/** Only what the environment did ends as an outcome; a bug goes on upwards. */
export function unavailable(
  error: unknown,
  outcome: Outcome,
  devEui: string,
  onFault: (fault: Fault, devEui: string) => void,
): Outcome {
  if (!(error instanceof Fault)) throw error;
  onFault(error, devEui);
  return outcome;
}
