/** The software engine: the contract, published vectors, and what it leaves on the disk. */
import { AssertionError } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeOwnerKey } from "@trefoil/custody";
import { afterAll, expect, it, vi } from "vitest";
import { openAuditLog } from "../src/audit-log/writer.ts";
import { block10, block11, blockOfDevice, type Derived, readRejoinRequest } from "../src/blocks.ts";
import { makeJoinAccept } from "../src/join.ts";
import { answer, operations } from "../src/operations.ts";
import { HeldKey, softwareToken } from "../src/software-token.ts";
import { withHandles } from "../src/token.ts";
import { initVault, openVaultFile } from "../src/vault-file.ts";
import { vaultContract } from "./contract.ts";
import { un } from "./reference.ts";

const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "trefoil-vault-"));
  folders.push(made);
  return made;
};
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});
const { publicKey: ownerPublicKey } = makeOwnerKey("test");
const tokenOf = (dataDir: string) => softwareToken(openVaultFile(dataDir, undefined));
const open = (dataDir: string) => {
  const token = tokenOf(dataDir);
  return operations({ token, dataDir, log: openAuditLog({ dataDir, instance: 0, token }) });
};

vaultContract({
  name: "software",
  make(owner) {
    const dataDir = folder();
    const info = initVault({ dataDir, ownerPublicKey: owner });
    return { dataDir, info, open: () => tokenOf(dataDir) };
  },
});

const vaultDir = folder();
initVault({ dataDir: vaultDir, ownerPublicKey });
const token = tokenOf(vaultDir);

type Vector = {
  id: string;
  kind: string;
  name: string;
  inputs: Record<string, string>;
  expected: Record<string, string | number>;
};
const published: { vectors: Vector[] } = JSON.parse(
  readFileSync(new URL("../../../vectors/published.json", import.meta.url), "utf8"),
);
const of = (kind: string, needs: string) =>
  published.vectors.filter((vector) => vector.kind === kind && needs in { ...vector.inputs, ...vector.expected });
const held = (hex: string | undefined) => new HeldKey(Uint8Array.from(un(hex ?? "")), "root");
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const derive = (root: string | undefined, block: Uint8Array) =>
  token.derive128(held(root), block, "transit").to("be wrapped", hex);
const contextOf = ({ joinNonce = "", netID = "", joinEUI = "", devNonce = "" }: Record<string, string>) => ({
  joinNonce: Number.parseInt(joinNonce, 16),
  netId: netID,
  joinEui: joinEUI,
  nonce: Number.parseInt(devNonce, 16),
});

it.each(of("session-keys-1.0", "nwkSKey"))(
  "published vector $id: session keys of 1.0.x, $name",
  ({ inputs, expected }) => {
    const context = contextOf(inputs);
    expect(derive(inputs.appKey, block10("NwkSKey", context))).toBe(expected.nwkSKey);
    expect(derive(inputs.appKey, block10("AppSKey", context))).toBe(expected.appSKey);
  },
);

it.each(of("session-keys-1.1", "appSKey"))(
  "published vector $id: session keys of 1.1, $name",
  ({ inputs, expected }) => {
    const context = contextOf(inputs);
    const network = {
      fNwkSIntKey: "FNwkSIntKey",
      sNwkSIntKey: "SNwkSIntKey",
      nwkSEncKey: "NwkSEncKey",
    } as const satisfies Record<string, Derived>;
    for (const [name, key] of Object.entries(network))
      expect([name, derive(inputs.nwkKey, block11(key, context))]).toEqual([name, expected[name]]);
    expect(derive(inputs.appKey, block11("AppSKey", context))).toBe(expected.appSKey);
  },
);

it.each(of("session-keys-1.1", "jsIntKey"))(
  "published vector $id: JSIntKey and JSEncKey, $name",
  ({ inputs, expected }) => {
    expect(derive(inputs.nwkKey, blockOfDevice("JSIntKey", inputs.devEUI ?? ""))).toBe(expected.jsIntKey);
    expect(derive(inputs.nwkKey, blockOfDevice("JSEncKey", inputs.devEUI ?? ""))).toBe(expected.jsEncKey);
  },
);

it.each([...of("join-accept-1.0", "phyPayload"), ...of("join-accept-1.1", "phyPayload")])(
  "published vector $id: join-accept, $name",
  ({ inputs, expected }) => {
    const fields = {
      netId: String(expected.netID),
      joinNonce: Number(expected.joinNonce),
      devAddr: String(expected.devAddr),
      dlSettings: Number.parseInt(String(expected.dlSettings), 16),
      rxDelay: Number(expected.rxDelay),
    };
    const asked = { request: "join", nonce: Number(inputs.devNonce) } as const;
    const encKey = held(inputs.appKey ?? inputs.encKey);
    const micKey = inputs.jsIntKey === undefined ? encKey : held(inputs.jsIntKey);
    expect(hex(makeJoinAccept(token, fields, inputs.joinEUI ?? "", asked, encKey, micKey))).toBe(inputs.phyPayload);
  },
);

it.each([...of("join-request", "phyPayload")])(
  "published vector $id: join-request MIC, $name",
  ({ inputs, expected }) => {
    expect(hex(token.cmac(held(inputs.key), un(inputs.phyPayload ?? "").subarray(0, 19)).subarray(0, 4))).toBe(
      expected.mic,
    );
  },
);

it.each(of("rejoin", "msg"))("published vector $id: rejoin-request, $name", ({ inputs, expected }) => {
  const read = readRejoinRequest(un(`${inputs.msg}${expected.mic}`)) ?? expect.unreachable();
  expect(read).toMatchObject({ request: expected.rejoinType, nonce: expected.rjCount });
  for (const [name, value] of [
    ["netId", expected.netID],
    ["joinEui", expected.joinEUI],
    ["devEui", expected.devEUI],
  ] as const)
    if (value !== undefined) expect(read[name]).toBe(value);
  const key =
    inputs.key === undefined
      ? token.derive128(held(inputs.nwkKey), blockOfDevice("JSIntKey", inputs.devEUIbe ?? ""), "js-int")
      : held(inputs.key);
  expect(hex(token.cmac(key, un(inputs.msg ?? "")).subarray(0, 4))).toBe(expected.mic);
});

it("every file is 0600, and none has the storage key or the private key in it", () => {
  const secrets = openVaultFile(vaultDir, undefined);
  for (const name of readdirSync(vaultDir)) {
    expect([name, statSync(join(vaultDir, name)).mode & 0o777]).toEqual([name, 0o600]);
    const contents = readFileSync(join(vaultDir, name));
    for (const secret of [secrets.storageKey, secrets.sealingKey.subarray(40, 120), secrets.auditKey.subarray(36, 68)])
      for (const form of ["latin1", "hex", "base64"] as const)
        expect(contents.includes(Buffer.from(secret).toString(form), "latin1")).toBe(false);
  }
  expect(readdirSync(vaultDir).sort()).toEqual(["passphrase", "vault.json"]);
});

const changedVault = (change: (file: Record<string, unknown>) => object) => {
  const dataDir = folder();
  for (const name of readdirSync(vaultDir)) writeFileSync(join(dataDir, name), readFileSync(join(vaultDir, name)));
  const path = join(dataDir, "vault.json");
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
  return dataDir;
};
const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "nothing thrown";
};

it("another owner cannot be put in place of the pinned one: the secrets no longer open", () => {
  expect(
    code(() =>
      openVaultFile(
        changedVault((file) => ({ ...file, ownerPublicKey: makeOwnerKey("x").publicKey })),
        undefined,
      ),
    ),
  ).toBe("vault/locked");
});

it("the wrong passphrase opens nothing", () => {
  const path = join(folder(), "passphrase");
  writeFileSync(path, "another passphrase");
  expect(code(() => openVaultFile(vaultDir, path))).toBe("vault/locked");
});

it("the passphrase may be a systemd credential, named in the configuration", () => {
  const credentials = folder();
  writeFileSync(join(credentials, "vault-passphrase"), "a passphrase from elsewhere\n", { mode: 0o600 });
  vi.stubEnv("CREDENTIALS_DIRECTORY", credentials);
  const dataDir = folder();
  const passphraseFile = "credential:vault-passphrase";
  const made = initVault({ dataDir, ownerPublicKey, passphraseFile });
  expect(softwareToken(openVaultFile(dataDir, passphraseFile)).published.fingerprint).toBe(made.fingerprint);
  expect(readdirSync(dataDir)).toEqual(["vault.json"]);
  expect(code(() => openVaultFile(dataDir, undefined))).toBe("vault/no-passphrase");
  for (const name of ["credential:../vault-passphrase", "credential:", "credential:other"])
    expect([name, code(() => openVaultFile(dataDir, name))]).toEqual([name, "vault/no-passphrase"]);
  vi.unstubAllEnvs();
  expect(code(() => openVaultFile(dataDir, passphraseFile))).toBe("vault/no-passphrase");
});

it.each<[string, (file: Record<string, unknown>) => object, string]>([
  ["of a later format", (file) => ({ ...file, format: 3 }), "vault/newer"],
  ["of the format before", (file) => ({ ...file, format: 1 }), "vault/newer"],
  ["of another engine", (file) => ({ ...file, engine: "pkcs11" }), "vault/newer"],
  [
    "with exchanged secrets",
    (file) => ({ ...file, auditKey: file.sealingKey, sealingKey: file.auditKey }),
    "vault/locked",
  ],
])("a vault %s is refused", (_, change, expected) => {
  expect(code(() => openVaultFile(changedVault(change), undefined))).toBe(expected);
});

it("a vault is never made over another, and an absent or damaged one is one clear fault", () => {
  expect(code(() => initVault({ dataDir: vaultDir, ownerPublicKey }))).toBe("vault/exists");
  expect(code(() => openVaultFile(folder(), undefined))).toBe("vault/none");
  const damaged = folder();
  writeFileSync(join(damaged, "vault.json"), "{");
  expect(code(() => openVaultFile(damaged, undefined))).toBe("vault/damaged");
});

it("a bug is answered as a fault without its message, and an unknown method as such", () => {
  const broken = {
    ...open(vaultDir),
    info: () => {
      throw new Error("2b7e1516 secret");
    },
  };
  const bugs: unknown[] = [];
  expect(answer(broken, { id: 1, method: "info", body: {} }, (_, error) => bugs.push(error))).toEqual({
    id: 1,
    fault: "vault/failed",
    retry: "later",
  });
  expect(bugs).toHaveLength(1);
  expect(answer(broken, { id: 2, method: "getKey", body: {} }, () => {})).toEqual({
    id: 2,
    fault: "vault/unknown-method",
    retry: "never",
  });
  expect(answer(broken, { id: 3, method: "toString", body: {} }, () => {})).toEqual({
    id: 3,
    fault: "vault/unknown-method",
    retry: "never",
  });
  expect(answer(broken, { hello: 1 }, () => {})).toBeUndefined();
});

it("the engine checks what each key is used for, as a token does by its attributes: our own mistakes are bugs, not leaks", () => {
  const block = new Uint8Array(16);
  const twoBlocks = new Uint8Array(32);
  withHandles(token, (own) => {
    const wrapping = own(token.derive256(token.storageKey, twoBlocks, "wrapping"));
    const label = own(token.derive256(token.storageKey, twoBlocks, "label"));
    const root = own(token.derive128(label, block, "root"));
    const transit = own(token.derive128(label, block, "transit"));
    const jsIntKey = own(token.derive128(root, block, "js-int"));
    const jsEncKey = own(token.derive128(root, block, "js-enc"));
    const mistakes: (() => unknown)[] = [
      () => token.wrap(wrapping, root),
      () => token.wrap(wrapping, jsIntKey),
      () => token.wrap(wrapping, token.storageKey),
      () => token.wrap(root, transit),
      () => token.cmac(transit, block),
      () => token.cmac(token.storageKey, block),
      () => token.decryptBlocks(jsIntKey, block),
      () => token.decryptBlocks(wrapping, block),
      () => token.derive128(transit, block, "transit"),
      () => token.derive128(jsEncKey, block, "transit"),
      () => token.derive256(wrapping, twoBlocks, "label"),
      () => token.unwrap(label, new Uint8Array(24), "root"),
    ];
    for (const mistake of mistakes) expect(mistake).toThrow(AssertionError);
    expect(token.unwrap(wrapping, token.wrap(wrapping, transit), "root")).toBeDefined();
  });
});

it("a key that was exchanged in the vault is named by the self-test, and the rest goes on", () => {
  const dataDir = folder();
  initVault({ dataDir, ownerPublicKey });
  expect(open(dataDir).status({})?.damaged).toEqual([]);
  const other = tokenOf(vaultDir);
  const exchanged = { ...tokenOf(dataDir), storageKey: other.storageKey, signHead: other.signHead };
  const log = openAuditLog({ dataDir, instance: 0, token: exchanged });
  const ask = operations({ token: exchanged, dataDir, log });
  expect(ask.status({})?.damaged).toEqual(["storage key", "audit key"]);
  const sealing = { ...tokenOf(dataDir), openTransport: other.openTransport };
  expect(operations({ token: sealing, dataDir, log }).status({})?.damaged).toEqual(["sealing key"]);
});

it("init is a process of its own, behind the permission model: an order in, public JSON out, and nothing else", () => {
  const dataDir = folder();
  const project = fileURLToPath(new URL("../../../", import.meta.url));
  const fence = [
    "--permission",
    `--allow-fs-read=${project}`,
    `--allow-fs-read=${dataDir}`,
    `--allow-fs-write=${dataDir}`,
  ];
  const run = (order: object) =>
    spawnSync(
      process.execPath,
      [...fence, "--disable-warning=ExperimentalWarning", `${project}servers/vault/src/init.ts`],
      {
        input: JSON.stringify(order),
        encoding: "utf8",
      },
    );
  const made = run({ dataDir, ownerPublicKey });
  expect(made.stderr).toBe("");
  expect(JSON.parse(made.stdout)).toEqual(open(dataDir).info({}));
  expect(Object.keys(JSON.parse(made.stdout)).sort()).toEqual(["auditKey", "engine", "fingerprint", "publicKey"]);
  const again = run({ dataDir, ownerPublicKey });
  expect([again.status, again.stdout]).toEqual([1, ""]);
  expect(again.stderr).toMatch(/there is a vault in .* already \(vault\/exists\)\n$/);
});
