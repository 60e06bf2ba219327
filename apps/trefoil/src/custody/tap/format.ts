/**
 * What a tapped process writes down: a file of records, each u32le length ‖ u8 kind ‖ u32le stream ‖ content. Opened before the process gives
 * up its rights, appended to by system calls that keep nothing.
 */
export const recordKind = { stream: 0, out: 1, in: 2, mark: 3 } as const;
export type RecordKind = (typeof recordKind)[keyof typeof recordKind];
export const headOctets = 9;

/** One connection, channel or output of a process, as far as the process knows. */
export type Stream =
  | {
      readonly is: "socket";
      readonly local?: number | undefined;
      readonly remote?: number | undefined;
      readonly encrypted: boolean;
    }
  | { readonly is: "datagrams"; readonly local?: number | undefined }
  /** Node's IPC channel, told by the side named. */
  | { readonly is: "ipc"; readonly with: string }
  /** Standard output and error of a process that this one started. */
  | { readonly is: "log"; readonly of: string }
  | { readonly is: "stdin"; readonly of: string };

/** A process that stands at a mark, and waits until the file `go-<process>-<n>` is there. */
export type Mark = { readonly mark: string; readonly n: number };
export const goFile = (folder: string, process: string, n: number) => `${folder}/go-${process}-${n}`;

/** What a process at a mark is asked to do before it goes on: nothing, but in tests of the proof. */
export type Go = { readonly plants?: readonly Plant[] };
/** Octets to be left somewhere; disguised, so that the order itself is no copy. */
export type Plant =
  | { readonly in: "memory" | "log"; readonly disguised: string }
  | { readonly in: "files"; readonly path: string; readonly disguised: string }
  | { readonly in: "messages"; readonly port: number; readonly disguised: string };

/** Every octet changed, and written in letters that no searched form has. */
export const disguise = (octets: Uint8Array): string =>
  Array.from(octets, (octet) => String.fromCharCode(0x67 + (octet >> 4), 0x67 + (octet & 15))).join("");
export const undisguise = (text: string): Buffer =>
  Buffer.from(
    Array.from(
      { length: text.length / 2 },
      (_, i) => (text.charCodeAt(2 * i) - 0x67) * 16 + text.charCodeAt(2 * i + 1) - 0x67,
    ),
  );
