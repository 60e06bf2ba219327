/**
 * How many statements the vault took in, and their chained hash, signed with its audit key: `statements.tally.json`. Whoever can write the
 * vault's folder cannot take one out of `statements.jsonl` (a move, a revocation) unnoticed. What remains to such a thief is
 * to put back both files of an earlier day (docs/threat-model.md).
 */
import { join } from "node:path";
import { hashOfLine, hashOfNothing, parseBase64, toBase64 } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { SignedStatement } from "@trefoil/wire";
import { isSignedBy } from "../audit-key.ts";
import { readJson, writeDurably } from "../files.ts";
import type { Token } from "../token.ts";

type Kept = { readonly count: number; readonly hash: string; readonly signature: string };

export function statementTally(
  dataDir: string,
  token: Pick<Token<unknown>, "published" | "auditPublicKey" | "signHead">,
) {
  const path = join(dataDir, "statements.tally.json");
  const text = (count: number, hash: string) =>
    Buffer.from(["TREFOIL-STATEMENTS-1", token.published.fingerprint, count, hash].join("\0"), "ascii");
  let [count, hash] = [0, hashOfNothing];
  let before = hash;
  const after = ({ payload, signature }: SignedStatement) => hashOfLine([hash, payload, signature].join("\0"));
  const sign = (kept: Omit<Kept, "signature">): Kept => ({
    ...kept,
    signature: toBase64(token.signHead(text(kept.count, kept.hash))),
  });
  const isSigned = (kept: Kept): boolean =>
    isSignedBy(token.auditPublicKey, text(kept.count, kept.hash), parseBase64(kept.signature) ?? new Uint8Array(0));
  const write = (kept: Kept) => writeDurably(path, `${JSON.stringify(kept)}\n`);

  /** One more line of the file. */
  function add(signed: SignedStatement): void {
    before = hash;
    hash = after(signed);
    count += 1;
  }

  return {
    add,
    /** Signs for one more: throws, with nothing done, where the token is gone. What it returns is called once the line is on the disk. */
    next(signed: SignedStatement): () => void {
      const kept = sign({ count: count + 1, hash: after(signed) });
      return () => {
        add(signed);
        write(kept);
      };
    },
    /** Once all lines were added. One more than was counted is what a crash between the two files leaves. */
    check(): void {
      const kept = (readJson(path) ?? { count: 0, hash: hashOfNothing, signature: "" }) as Kept;
      const isAsCounted = kept.count === count && kept.hash === hash;
      const isOneMore = kept.count === count - 1 && kept.hash === before;
      if (!(isAsCounted || isOneMore) || !(kept.count === 0 || isSigned(kept)))
        throw new Fault(
          "vault/statements-damaged",
          `statements.jsonl is not as this vault left it (${count} statements, ${kept.count} counted): restore it from a backup`,
          { retry: "never" },
        );
      if (isOneMore) write(sign({ count, hash }));
    },
  };
}
