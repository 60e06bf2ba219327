import { stringify } from "yaml";
import type { Config } from "./sections.ts";

/** The configuration as a file that would give it. There is nothing to hide: no setting is a secret. */
export const printConfig = (config: Config): string => stringify(config, { defaultStringType: "PLAIN", lineWidth: 0 });
