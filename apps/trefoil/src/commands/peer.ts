/** `trefoil peer …`: servers of other owners that may ask the Join Server. Each is a statement of the realm owner. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { networkText } from "@trefoil/custody";
import { issuePeerCertificate, makePeerKeyAndCsr, spkiOf } from "@trefoil/service/certificates";
import type { PeerStatement } from "@trefoil/wire";
import type { Command } from "commander";
import { askOwner } from "../owner/owner.ts";
import { peersIn, peersNamed } from "../owner/peers.ts";
import { type Saying, say, spoken } from "../owner/statements.ts";
import { writePrivate } from "../supervisor/data-folder.ts";
import { ageText, facts, fingerprintText, type Output, table, UserError } from "./output.ts";
import { ownerSays, realmSettings, saidText } from "./owner-says.ts";
import { parseAsId, parseName, parseNetwork } from "./parse.ts";
import { action } from "./run.ts";

type AddOptions = {
  readonly netId?: string;
  readonly nsId?: string;
  readonly asId?: string;
  readonly certificate?: string;
  readonly newCertificate?: string;
  readonly url?: string;
  readonly appSKeyReq?: boolean;
};

export function addPeerCommands(program: Command): void {
  const peer = program.command("peer").description("servers of other owners that may ask this Join Server (TS002)");
  peer
    .command("add <name>")
    .description("let a network server or application server ask; signed by the realm owner")
    .option("--net-id <NetID>", "the network that it may speak for")
    .option("--ns-id <NSID>", "with --net-id: where several networks share a NetID")
    .option("--as-id <AS-ID>", "the application server that it may speak for")
    .option("--certificate <file>", "its TLS certificate (PEM), whose key is pinned")
    .option(
      "--new-certificate <file>",
      "for a peer that has none: make a key and certificate, written to <file>.key and <file>.crt",
    )
    .option("--url <https://…>", "where it wants asynchronous answers and notifications")
    .option("--app-s-key-req", "its application server asks for the AppSKey itself: the JoinAns only names the session")
    .action(action(addPeer));
  peer
    .command("list")
    .description("peers, whom they speak for, and the pinned keys of their certificates")
    .action(
      action(async (out: Output, command) => {
        const peers = peersIn(spoken(realmSettings(command).dataDir));
        out.result(peers, () => (peers.length === 0 ? "There are no peers yet." : peerTable(peers)));
      }),
    );
  peer
    .command("revoke <name>")
    .description("answer it no more; signed by the realm owner")
    .action(
      action(async (out: Output, command, name: string) => {
        const { dataDir } = realmSettings(command);
        const standing = peersNamed(spoken(dataDir), name);
        const said = await ownerSays(
          dataDir,
          standing.map(({ version: _v, vault: _f, issuedAt: _t, ...rest }): Saying => ({ ...rest, revoked: true })),
        );
        out.result({ name, revoked: standing.length, said }, () =>
          [
            `The peer ${name} is revoked: it is answered no more.`,
            "Devices that are assigned to its network cannot join until you move them (trefoil device move).",
            saidText(said),
          ].join("\n"),
        );
      }),
    );
  peer
    .command("certificate <name>")
    .description("issue a client certificate of the private CA, for a peer that has none")
    .requiredOption("--csr <file>", "the peer's certificate request (PEM): its key stays with it")
    .requiredOption("--out <file>", "where the certificate goes")
    .action(
      action(async (out: Output, command, name: string) => {
        const { dataDir } = realmSettings(command);
        const { csr, out: file } = command.opts<{ csr: string; out: string }>();
        const { ca } = await askOwner(dataDir);
        const { certificatePem, spki } = await issuePeerCertificate(ca, parseName("name", name), readPem(csr));
        writePrivate(file, certificatePem);
        const caFile = join(dataDir, "owner", "ca.crt");
        out.result({ name, certificate: file, spki, ca: caFile }, () =>
          [
            `The certificate of ${name} is in ${file}. Give it to the peer, together with the CA's: ${caFile}`,
            "",
            facts([["its key", fingerprintText(spki)]]),
            "",
            `Then: trefoil peer add ${name} --net-id <NetID> --certificate ${file}`,
          ].join("\n"),
        );
      }),
    );
}

async function addPeer(out: Output, command: Command, name: string): Promise<void> {
  const { dataDir } = realmSettings(command);
  const options = command.opts<AddOptions>();
  if (options.netId === undefined && options.asId === undefined)
    throw new UserError("input/peer", "say whom it may speak for: --net-id, --as-id, or both");
  if ((options.certificate === undefined) === (options.newCertificate === undefined))
    throw new UserError(
      "input/certificate",
      "give its certificate with --certificate, or make one with --new-certificate",
    );
  if (options.url !== undefined && !/^https:\/\/\S+$/.test(options.url))
    throw new UserError("input/url", `--url: expected an address beginning with https://, found "${options.url}"`);
  const said = { kind: "peer", name: parseName("name", name) } as const;
  const speaksFor = {
    ...(options.netId === undefined ? {} : { network: parseNetwork(options.netId, options.nsId) }),
    ...(options.asId === undefined ? {} : { asId: parseAsId("--as-id", options.asId) }),
  };
  const owner = await askOwner(dataDir);
  const certificate = options.certificate
    ? spkiOfFile(options.certificate)
    : await makeCertificate(owner.ca, name, options.newCertificate as string);
  const saying: Saying = {
    ...said,
    certificate,
    ...speaksFor,
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(options.appSKeyReq ? { appSKey: "app-s-key-req" } : {}),
  };
  const how = await say(dataDir, owner, [saying]);
  const caFile = join(dataDir, "owner", "ca.crt");
  out.result({ ...saying, said: how, ca: caFile }, () =>
    [
      `The peer ${name} may speak for ${speaksForText(saying)}.`,
      "",
      facts([
        ["its certificate's key", fingerprintText(certificate)],
        ["CA of this Join Server", caFile],
        ...(options.newCertificate === undefined
          ? []
          : [["for the peer", `${options.newCertificate}.crt and .key`] as [string, string]]),
      ]),
      "",
      options.newCertificate === undefined
        ? "Compare the key's fingerprint with what the peer's owner tells you."
        : "Give the peer its certificate and key by a way that only its owner sees, then delete them here.",
      "Next: a KEK for it (trefoil kek make), and devices (trefoil device move).",
      saidText(how),
    ].join("\n"),
  );
}

async function makeCertificate(ca: Parameters<typeof issuePeerCertificate>[0], name: string, file: string) {
  const { keyPem, csrPem } = await makePeerKeyAndCsr(name);
  const { certificatePem, spki } = await issuePeerCertificate(ca, name, csrPem);
  writePrivate(`${file}.key`, keyPem);
  writePrivate(`${file}.crt`, certificatePem);
  return spki;
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new UserError("input/file", `${file} cannot be read`);
  }
}

function spkiOfFile(file: string): string {
  const text = readPem(file);
  try {
    return spkiOf(text);
  } catch {
    throw new UserError("input/certificate", `${file} holds no certificate in PEM`);
  }
}

const speaksForText = ({ network, asId }: Pick<PeerStatement, "network" | "asId">): string =>
  [network && `network ${networkText(network)}`, asId && `AS-ID ${asId}`].filter(Boolean).join(" and ");

const peerTable = (peers: readonly PeerStatement[]): string =>
  table(
    ["peer", "speaks for", "AppSKey", "since", "key of its certificate"],
    peers.map((peer) => [
      peer.revoked ? `${peer.name} (revoked)` : peer.name,
      speaksForText(peer),
      peer.network ? (peer.appSKey ?? "join-ans") : "-",
      ageText(peer.issuedAt),
      `${fingerprintText(peer.certificate.slice(0, 16))} …`,
    ]),
  );
