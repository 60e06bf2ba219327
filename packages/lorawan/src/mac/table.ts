/**
 * Commands as tables: one row per command. Types, decoder and encoder follow from the rows, for MAC commands and for
 * the application packages (TS003 to TS005) alike.
 */
import type { Fields, Values } from "./fields.ts";

/** How one command sits in octets after its CID. */
export type Row<V> = {
  readonly cid: number;
  /** How many octets it has, when its first one is at `at`. Not finite when they are cut off. */
  readonly sizeAt: (octets: Uint8Array, at: number) => number;
  readonly read: (octets: Uint8Array, at: number, size: number) => V;
  /** Its octets, without the CID. Throws RangeError when a value does not fit. */
  readonly write: (values: V) => Uint8Array;
};
// biome-ignore lint/suspicious/noExplicitAny: rows of any values; Command<> below gives each its own.
export type Table = { readonly [name: string]: Row<any> };

/** A row of fixed size. */
export function command<const F extends Fields>(cid: number, size: number, fields: F): Row<Values<F>> {
  const entries = Object.entries(fields);
  return {
    cid,
    sizeAt: () => size,
    read: (octets, at) => {
      const values: Record<string, unknown> = {};
      for (const [name, field] of entries) values[name] = field.read(octets, at);
      return values as Values<F>;
    },
    write: (values) => {
      const octets = new Uint8Array(size);
      for (const [name, field] of entries) field.write(octets, 0, values[name as keyof F]);
      return octets;
    },
  };
}

/** `{ name: "LinkADRAns", powerAck: boolean, … } | { name: "DevStatusAns", battery: number, … } | …` */
export type Command<T extends Table> = {
  [N in keyof T]: { readonly name: N } & (T[N] extends Row<infer V> ? V : never);
}[keyof T];

/** What a stream held. `rest` could not be named: kept as evidence, never guessed at. */
export type CommandStream<C> = { readonly commands: readonly C[]; readonly rest: Uint8Array };

export type CommandCodec<C> = {
  /** Commands carry no length, so the first unknown or cut-off one ends the stream. Never throws. */
  readonly decode: (octets: Uint8Array) => CommandStream<C>;
  /** The octets of one command. Throws RangeError when a value does not fit: the caller's mistake. */
  readonly encode: (command: C) => Uint8Array;
};

export function commandCodec<T extends Table>(table: T): CommandCodec<Command<T>> {
  const byCid = new Map(Object.entries(table).map(([name, row]) => [row.cid, { name, row }]));
  return {
    decode: (octets) => {
      const commands: Command<T>[] = [];
      let at = 0;
      while (at < octets.length) {
        const found = byCid.get(octets[at] ?? 0);
        if (!found) break;
        const size = found.row.sizeAt(octets, at + 1);
        if (!(at + 1 + size <= octets.length)) break;
        commands.push({ name: found.name, ...found.row.read(octets, at + 1, size) } as Command<T>);
        at += 1 + size;
      }
      return { commands, rest: octets.slice(at) };
    },
    encode: ({ name, ...values }) => {
      const row = table[name as keyof T & string];
      if (!row) throw new RangeError(`${String(name)} is no command of this direction`);
      const body = row.write(values);
      const octets = new Uint8Array(1 + body.length);
      octets[0] = row.cid;
      octets.set(body, 1);
      return octets;
    },
  };
}

/** Octets one after another. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
