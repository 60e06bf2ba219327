/** The command line: `trefoil <command>`. `bin/trefoil.mjs` finds the right Node and runs this. */
import { makeProgram } from "./program.ts";

await makeProgram().parseAsync(process.argv);
