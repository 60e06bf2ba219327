import { expect, test } from "vitest";
import { deriveRoot } from "./realm.ts";

test("root keys derived from a master key are those of the published vectors (docs/sealed-key.md, LORA-KDF-1)", () => {
  const master = Uint8Array.from({ length: 32 }, (_, i) => i);
  const root = (purpose: string) => deriveRoot(master, purpose, "70b3d57ed0000001", "0011223344556677");
  expect(root("NwkKey")).toBe("d2538062eca32956a868f96942414775");
  expect(root("AppKey")).toBe("bb612567fb887d9dcd416c5b2ae89b2d");
});
