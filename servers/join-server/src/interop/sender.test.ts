import type { Header } from "@trefoil/backend-interfaces";
import { expect, it } from "vitest";
import type { Peer } from "../standing.ts";
import { speaksAs } from "./sender.ts";

const peer = (change: Partial<Peer>): Peer => ({ name: "n", fingerprint: "", asksForAppSKey: false, ...change });
const from = (SenderID: string, SenderNSID?: string) =>
  ({ SenderID, ...(SenderNSID === undefined ? {} : { SenderNSID }) }) as Header;
const nsId = "70b3d57ed0000abc";

it.each<[string, Header, Partial<Peer>, string | undefined]>([
  ["its NetID", from("000013"), { network: { netId: "000013" } }, "network"],
  ["its NetID with 0x", from("0x60002A"), { network: { netId: "60002a" } }, "network"],
  ["another NetID", from("000014"), { network: { netId: "000013" } }, undefined],
  ["a longer number", from("00000013"), { network: { netId: "000013" } }, undefined],
  ["its AS-ID", from("as.example"), { asId: "as.example" }, "application"],
  ["another AS-ID", from("as.example"), { asId: "as.example.org" }, undefined],
  ["an AS-ID in other case", from("AS.example"), { asId: "as.example" }, undefined],
  ["a NetID as an application server", from("000013"), { asId: "as" }, undefined],
  ["its NetID, its NSID (TS002-1.1.0)", from("000000", nsId), { network: { netId: "000000", nsId } }, "network"],
  ["its NetID, no NSID (TS002-1.0.0)", from("000000"), { network: { netId: "000000", nsId } }, "network"],
  ["another's NSID", from("000000", "70b3d57ed0000abd"), { network: { netId: "000000", nsId } }, undefined],
  [
    "its NetID where an NSID belongs (The Things Stack)",
    from("000000", "000000"),
    { network: { netId: "000000", nsId } },
    "network",
  ],
])("%s", (_, header, change, as) => {
  expect(speaksAs(header, peer(change))).toBe(as);
});
