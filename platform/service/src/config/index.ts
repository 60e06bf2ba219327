/** The configuration file. Servers import its types from "@trefoil/service"; only `trefoil` loads it. */
export type { Problem } from "./check.ts";
export { defaultConfig, type Environment, type Loaded, loadConfig, type Setting, settings } from "./load.ts";
export { printConfig } from "./print.ts";
export * from "./sections.ts";
