/** What every command has in common: its options, its output, its errors and exit code. */
import type { Command } from "commander";
import { makeOutput, type Output, printError } from "./output.ts";
import type { GlobalOptions } from "./realm.ts";

/** The command's own options together with the global ones. */
export const optionsOf = <T = object>(command: Command) => command.optsWithGlobals<GlobalOptions & T>();

/** Wraps what a command does, so that commander can call it: arguments first, then options, then the command. */
export function action<A extends unknown[]>(run: (out: Output, command: Command, ...args: A) => Promise<void>) {
  return async (...given: unknown[]) => {
    const command = given.at(-1) as Command;
    const json = optionsOf(command).json === true;
    try {
      await run(makeOutput(json), command, ...(given.slice(0, -2) as A));
    } catch (error) {
      printError(json, error);
      process.exitCode = 1;
    }
  };
}
