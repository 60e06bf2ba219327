/** What Node is told so that it loads the tap: the only way to it. Its folder is the one exception to the permission model, in that run. */
import { pathToFileURL } from "node:url";

const program = new URL("./tap.ts", import.meta.url);

export const importTap = (folder: string): string =>
  `--import=${program.href}?folder=${pathToFileURL(folder).pathname}`;

export const tapFlags = (folder: string): readonly string[] => [
  importTap(folder),
  `--allow-fs-read=${folder}`,
  `--allow-fs-write=${folder}`,
];
