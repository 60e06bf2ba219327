/** The door to the add-on: nothing of a wrong type passes it, for the add-on would abort the process. And nobody else has one. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differences, Template, template, ulongs, type Values } from "../src/pkcs11/attributes.ts";
import { faultOf, meansLost, Pkcs11Fault } from "../src/pkcs11/errors.ts";
import { aesCmac, cbcEncryptData, Mechanism } from "../src/pkcs11/mechanisms.ts";
import { loadModule, type Session } from "../src/pkcs11/module.ts";
import { openDesk } from "../src/pkcs11/open.ts";
import { missingSoftHsm, type SoftHsm, softHsm } from "./pkcs11-softhsm.ts";

const project = fileURLToPath(new URL("../../../", import.meta.url));

it("module.ts alone names the add-on: what is required by a name in a variable escapes the architecture rules", () => {
  const sources = globSync("{packages,platform,servers,apps,bench}/**/*.{ts,mjs,cjs,js}", { cwd: project }).filter(
    (file) => !file.includes("node_modules") && !/\/(test|dist)\/|\.test\.ts$/.test(file),
  );
  expect(sources.length).toBeGreaterThan(100);
  const naming = sources.filter((file) => /["'`]pkcs11js["'`]/.test(readFileSync(join(project, file), "utf8")));
  expect(naming).toEqual(["servers/vault/src/pkcs11/module.ts"]);
});

describe("templates and mechanisms are checked when they are made", () => {
  it.each<[string, unknown]>([
    ["a string for a flag", { TOKEN: "true" }],
    ["a number for a flag", { TOKEN: 1 }],
    ["a flag for a number", { VALUE_LEN: true }],
    ["a fraction", { VALUE_LEN: 1.5 }],
    ["more than 32 bits", { VALUE_LEN: 2 ** 32 }],
    ["an object for octets", { LABEL: {} }],
    ["an array for octets", { ID: [1, 2] }],
    ["null", { LABEL: null }],
    ["an unknown name", { COLOUR: true }],
    ["a name of Object", { constructor: true }],
  ])("%s", (_, values) => {
    expect(() => template(values as Values)).toThrow(TypeError);
  });

  it.each([undefined, null, "0123456789abcdef", [], {}, new Uint8Array(15), new Uint8Array(17), new Uint8Array(48)])(
    "a key is derived with one block or two, not with %j",
    (blocks) => {
      expect(() => cbcEncryptData(blocks as Uint8Array)).toThrow(TypeError);
    },
  );
});

describe("attributes read back", () => {
  const wanted = template({ TOKEN: true, WRAP: false, VALUE_LEN: 32, LABEL: "x" });
  const right = new Map<number, Uint8Array | undefined>([
    [1, Uint8Array.of(1)],
    [0x106, Uint8Array.of(0)],
    [0x161, ulongs(32)],
    [3, Buffer.from("x")],
  ]);
  it("are right when all are, or when a flag that shall be off is unknown to the token", () => {
    expect(differences(wanted, right)).toEqual([]);
    expect(differences(wanted, new Map([...right, [0x106, undefined]]))).toEqual([]);
  });
  it.each<[number, Uint8Array | undefined, string]>([
    [1, Uint8Array.of(0), "CKA_TOKEN"],
    [1, undefined, "CKA_TOKEN"],
    [1, new Uint8Array(0), "CKA_TOKEN"],
    [0x106, Uint8Array.of(1), "CKA_WRAP"],
    [0x106, Uint8Array.of(255), "CKA_WRAP"],
    [0x106, new Uint8Array(0), "CKA_WRAP"],
    [0x161, ulongs(16), "CKA_VALUE_LEN"],
    [0x161, undefined, "CKA_VALUE_LEN"],
    [3, Buffer.from("y"), "CKA_LABEL"],
  ])("attribute %i that says %j is named", (type, value, name) => {
    expect(differences(wanted, new Map([...right, [type, value]]))).toEqual([name]);
  });
});

describe("a refusal of the module is a Fault with the CKR name", () => {
  it.each<[string, unknown, string, string]>([
    ["with a code", Object.assign(new Error("CKR_PIN_INCORRECT"), { code: 160 }), "pkcs11/pin-incorrect", "never"],
    ["as text", new Error("CKR_ATTRIBUTE_READ_ONLY:16"), "pkcs11/attribute-read-only", "later"],
    ["with lines after it", new Error("CKR_DEVICE_ERROR:48\n    at PKCS11.C_Sign (x)"), "pkcs11/device-error", "later"],
    ["that the add-on cannot name", new Error("CKR_VENDOR_DEFINED:27"), "pkcs11/action-prohibited", "later"],
    ["of a vendor", new Error("CKR_VENDOR_DEFINED:2147483649"), "pkcs11/vendor-defined-2147483649", "later"],
  ])("%s", (_, error, code, retry) => {
    expect(faultOf("C_X", error)).toMatchObject({ code, retry, fields: { operation: "C_X" } });
  });
  it("a bug of ours stays one", () => {
    const bug = new TypeError("Argument 1 has wrong type. Should be a Buffer");
    expect(faultOf("C_X", bug)).toBe(bug);
    expect(meansLost(bug)).toBe(false);
    expect(meansLost(new Pkcs11Fault("OBJECT_HANDLE_INVALID", "C_X"))).toBe(true);
  });
});

describe.skipIf(missingSoftHsm() !== undefined)("on SoftHSM", { timeout: 120_000 }, () => {
  let hsm: SoftHsm;
  beforeAll(() => {
    hsm = softHsm();
  });
  afterAll(() => hsm.remove());

  it("junk for any argument of any call is a TypeError of ours, and the process lives", () => {
    const pkcs11 = hsm.makeToken("junk");
    const module = loadModule(pkcs11.module, pkcs11.environment);
    module.finalise();
    module.ensureInitialised();
    const desk = openDesk(module, pkcs11);
    const key = desk.objects.generateKey(
      new Mechanism("AES_KEY_GEN", 0x1080),
      template({ TOKEN: false, VALUE_LEN: 16, SIGN: true }),
    );
    const handle = Buffer.alloc(8);
    const what = new Template({});
    const octets = new Uint8Array(16);
    const good: { readonly [call in keyof Session]?: readonly unknown[] } = {
      generateKey: [aesCmac, what],
      generateKeyPair: [aesCmac, what, what],
      createObject: [what],
      copy: [handle, what],
      derive: [aesCmac, handle, what],
      unwrap: [aesCmac, handle, octets, what],
      wrap: [aesCmac, handle, handle, 24],
      destroy: [handle],
      read: [handle, ["CLASS"]],
      sign: [aesCmac, handle, octets, 16],
      decrypt: [aesCmac, handle, octets],
      encrypt: [aesCmac, handle, octets],
      find: [what],
      login: ["pin"],
    };
    const junk = [
      undefined,
      null,
      1,
      "foo",
      {},
      [],
      true,
      { mechanism: "foo" },
      [{ type: 1, value: {} }],
      Buffer.alloc(7),
      new Date(),
    ];
    let tried = 0;
    for (const [call, args] of Object.entries(good))
      for (const at of args.keys())
        for (const bad of junk) {
          if (typeof bad === typeof args[at] && typeof bad !== "object") continue;
          if (bad instanceof Uint8Array && args[at] === octets) continue;
          if (Array.isArray(bad) && bad.length === 0 && Array.isArray(args[at])) continue;
          const run = () =>
            Reflect.apply(desk.objects[call as keyof Session] as never, desk.objects, args.with(at, bad));
          expect([call, at, bad, nameOf(run)]).toEqual([call, at, bad, "TypeError"]);
          tried += 1;
        }
    expect(tried).toBeGreaterThan(250);
    expect(desk.sign(aesCmac, key, octets, 16)).toHaveLength(16);
    desk.close();
    module.finalise();
  });

  it("an operation that fails does not spoil the next one: its session is replaced", () => {
    const pkcs11 = hsm.makeToken("spoilt");
    const module = loadModule(pkcs11.module, pkcs11.environment);
    module.finalise();
    module.ensureInitialised();
    const desk = openDesk(module, pkcs11);
    const key = desk.objects.generateKey(
      new Mechanism("AES_KEY_GEN", 0x1080),
      template({ TOKEN: false, VALUE_LEN: 16, SIGN: true }),
    );
    const mac = desk.sign(aesCmac, key, Uint8Array.of(1), 16);
    expect(() => desk.sign(aesCmac, key, new Uint8Array(0), 16)).toThrow(Pkcs11Fault);
    expect(desk.sign(aesCmac, key, Uint8Array.of(1), 16)).toEqual(mac);
    desk.close();
    module.finalise();
  });

  it("without --allow-addons the add-on is a clear fault; with it, it loads behind the permission model", () => {
    const load = (...flags: readonly string[]) =>
      execFileSync(
        process.execPath,
        [
          ...["--permission", `--allow-fs-read=${project}`, "--disable-warning=PERM0001", ...flags],
          ...["--input-type=module", "-e"],
          `const { loadAddOn } = await import(${JSON.stringify(join(project, "servers/vault/src/pkcs11/module.ts"))});
           try { loadAddOn(); console.log("loaded"); } catch (error) { console.log(error.code, error.retry, error.message); }`,
        ],
        { encoding: "utf8" },
      );
    expect(load()).toMatch(/^pkcs11\/no-add-on never .*--allow-addons/);
    expect(load("--allow-addons")).toBe("loaded\n");
  });
});

const nameOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as Error).constructor.name;
  }
  return "nothing thrown";
};
