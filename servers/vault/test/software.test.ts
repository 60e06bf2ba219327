/** The software engine: the contract, published vectors, and what it leaves on the disk. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeOwnerKey } from "@trefoil/custody";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { block10, block11, blockOfDevice, type Derived } from "../src/blocks.ts";
import { makeJoinAccept } from "../src/join.ts";
import { answer, operations } from "../src/operations.ts";
import { HeldKey, softwareToken } from "../src/software-token.ts";
import { initVault, openVaultFile, readRegistrations, saveRegistrations } from "../src/vault-file.ts";
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
const open = (dataDir: string) =>
  operations(softwareToken(openVaultFile(dataDir, undefined)), {
    stored: readRegistrations(dataDir),
    save: (all) => saveRegistrations(dataDir, all),
  });

vaultContract("software", (owner) => {
  const dataDir = folder();
  initVault({ dataDir, ownerPublicKey: owner });
  return { ask: open(dataDir), reopened: () => open(dataDir) };
});

const vaultDir = folder();
initVault({ dataDir: vaultDir, ownerPublicKey });
const token = softwareToken(openVaultFile(vaultDir, undefined));

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
const held = (hex: string | undefined) => new HeldKey(Uint8Array.from(un(hex ?? "")));
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const derive = (root: string | undefined, block: Uint8Array) => token.deriveKey(held(root), block).expose(hex);
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
    const request = {
      ...{
        devEui: "",
        joinEui: inputs.joinEUI ?? "",
        netId: String(expected.netID),
        asId: "",
        blobs: { AppKey: "" },
        joinRequest: "",
      },
      ...{
        joinNonce: Number(expected.joinNonce),
        devAddr: String(expected.devAddr),
        dlSettings: Number.parseInt(String(expected.dlSettings), 16),
      },
      rxDelay: Number(expected.rxDelay),
    };
    const jsIntKey = inputs.jsIntKey === undefined ? undefined : held(inputs.jsIntKey);
    expect(
      hex(makeJoinAccept(token, request, Number(inputs.devNonce), held(inputs.appKey ?? inputs.encKey), jsIntKey)),
    ).toBe(inputs.phyPayload);
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

it("every file is 0600, and none has the storage key or the private key in it", () => {
  const secrets = openVaultFile(vaultDir, undefined);
  for (const name of readdirSync(vaultDir)) {
    expect([name, statSync(join(vaultDir, name)).mode & 0o777]).toEqual([name, 0o600]);
    const contents = readFileSync(join(vaultDir, name));
    for (const secret of [secrets.storageKey, secrets.sealingKey.subarray(40, 120)])
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

it.each<[string, (file: Record<string, unknown>) => object, string]>([
  ["of a later format", (file) => ({ ...file, format: 2 }), "vault/newer"],
  ["of another engine", (file) => ({ ...file, engine: "pkcs11" }), "vault/newer"],
  [
    "with exchanged secrets",
    (file) => ({ ...file, storageKey: file.sealingKey, sealingKey: file.storageKey }),
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

it("whoever writes registrations.json registers nothing: the signatures are checked again at the start", () => {
  const dataDir = changedVault((file) => file);
  saveRegistrations(dataDir, [{ payload: "{}", signature: Buffer.alloc(64).toString("base64") }]);
  expect(() => open(dataDir)).toThrow(/does not stand/);
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
  expect(Object.keys(JSON.parse(made.stdout)).sort()).toEqual(["engine", "fingerprint", "publicKey"]);
  const again = run({ dataDir, ownerPublicKey });
  expect([again.status, again.stdout]).toEqual([1, ""]);
  expect(again.stderr).toMatch(/there is a vault in .* already \(vault\/exists\)\n$/);
});

it("whatever comes over the pipe is answered or refused, and never throws", () => {
  const ask = open(vaultDir);
  const bugs: unknown[] = [];
  const join = {
    ...{
      devEui: "0011223344556677",
      joinEui: "70b3d57ed0000001",
      netId: "000013",
      asId: "as",
      blobs: { AppKey: Buffer.alloc(24).toString("base64") },
    },
    ...{ joinRequest: "00".repeat(23), joinNonce: 1, devAddr: "26011bda", dlSettings: 0, rxDelay: 1 },
  };
  const value = fc.oneof(fc.anything(), fc.constantFrom("", "00", -1, 2 ** 53, Number.NaN, null, [], {}));
  const near = fc
    .record(Object.fromEntries(Object.keys(join).map((name) => [name, value])), { requiredKeys: [] })
    .map((change) => ({ ...join, ...change }));
  const body = fc.oneof(fc.anything(), near, fc.array(near, { maxLength: 3 }));
  const method = fc.oneof(fc.constantFrom(...Object.keys(ask), "constructor", "__proto__"), fc.string());
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.record({ id: fc.nat(), method, body })), (request) => {
      answer(ask, request, (_, error) => bugs.push(error));
    }),
    { numRuns: 3_000 },
  );
  expect(bugs).toEqual([]);
});
