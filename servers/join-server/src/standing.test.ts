import type { PeerStatement, Statement } from "@trefoil/wire";
import { expect, it } from "vitest";
import { Standing } from "./standing.ts";

const common = { version: 1, vault: "00".repeat(32) } as const;
const peer = (issuedAt: number, change: Partial<PeerStatement> = {}): PeerStatement => ({
  ...{ ...common, issuedAt, kind: "peer", name: "tts", certificate: "ab".repeat(32), network: { netId: "000013" } },
  ...change,
});
const standingOf = (...all: Statement[]) =>
  Standing.of(all.map((statement) => ({ payload: JSON.stringify(statement), signature: "" })));
const range = (first: string, last: string) => ({ first: first.padEnd(16, "0"), last: last.padEnd(16, "f") });

it("nobody is a peer but whom a statement names", () => {
  expect(new Standing().peerOf("ab".repeat(32))).toBeUndefined();
  const standing = standingOf(peer(1, { url: "https://ns.example/", appSKey: "app-s-key-req" }));
  expect(standing.peerOf("ab".repeat(32))).toEqual({
    ...{ name: "tts", fingerprint: "ab".repeat(32), network: { netId: "000013" } },
    ...{ url: "https://ns.example/", asksForAppSKey: true },
  });
  expect(standing.peerOf("ac".repeat(32))).toBeUndefined();
});

it("a revoked peer is none, whatever comes in whichever order; a later statement makes it one again", () => {
  const revoked = peer(2, { revoked: true });
  for (const all of [
    [peer(1), revoked],
    [revoked, peer(1)],
  ])
    expect(standingOf(...all).peerOf("ab".repeat(32))).toBeUndefined();
  expect(standingOf(revoked, peer(3)).peerCount).toBe(1);
});

it("a derived device's version is that of the smallest range of a master key", () => {
  const masterKey = (macVersion: "1.1" | "1.0.4", first: string, last: string, issuedAt = 1): Statement =>
    ({
      ...{ ...common, issuedAt, kind: "master-key", kdf: "LORA-KDF-1", epoch: 0, extra: "", macVersion },
      ...{ joinEuis: range(first, last), key: { version: 1, to: "", transport: "", keys: [] } },
    }) as Statement;
  const standing = standingOf(masterKey("1.0.4", "70b3", "70b3"), masterKey("1.1", "70b3d5", "70b3d5"));
  expect(standing.derivedVersion("70b3d57ed0000001")).toBe("1.1");
  expect(standing.derivedVersion("70b3000000000000")).toBe("1.0.4");
  expect(standing.derivedVersion("70b4000000000000")).toBeUndefined();
  standing.take(masterKey("1.0.4", "70b3d5", "70b3d5", 2));
  expect(standing.derivedVersion("70b3d57ed0000001")).toBe("1.0.4");
});

it("who serves a device is what custody's rule says, also for statements that come later", () => {
  const id = { devEui: "00".repeat(8), joinEui: "70b3d57ed0000001" };
  const assignment = (issuedAt: number, change: object): Statement =>
    ({ ...common, issuedAt, kind: "assignment", ...change }) as Statement;
  const standing = standingOf(assignment(1, { joinEuis: range("", ""), network: { netId: "000013" }, asId: "as" }));
  expect(standing.assignedTo(id)).toEqual({ network: { netId: "000013" }, asId: "as" });
  standing.take(assignment(2, { devices: [id], network: { netId: "600021" }, asId: "theirs" }));
  expect(standing.assignedTo(id)?.asId).toBe("theirs");
  standing.take(assignment(3, { devices: [id] }));
  expect(standing.assignedTo(id)).toBeUndefined();
  expect(standing.rows.map(({ subject }) => subject)).toEqual([
    "JoinEUIs 0000000000000000 to ffffffffffffffff",
    "device 0000000000000000",
  ]);
});
