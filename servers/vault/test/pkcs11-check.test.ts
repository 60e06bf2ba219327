/** `trefoil vault check`: what a module can do is tried, what it cannot is named. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { template } from "../src/pkcs11/attributes.ts";
import { checkModule } from "../src/pkcs11/check-module.ts";
import { Mechanism } from "../src/pkcs11/mechanisms.ts";
import { loadModule, Session } from "../src/pkcs11/module.ts";
import { openDesk } from "../src/pkcs11/open.ts";
import { makeVault, missingSoftHsm, type SoftHsm, softHsm } from "./pkcs11-softhsm.ts";

const project = fileURLToPath(new URL("../../../", import.meta.url));

describe.skipIf(missingSoftHsm() !== undefined)("vault check on SoftHSM", { timeout: 120_000 }, () => {
  let hsm: SoftHsm;
  beforeAll(() => {
    hsm = softHsm();
  });
  afterAll(() => hsm.remove());

  it("finds all that is needed in an empty token, and leaves it empty", () => {
    const pkcs11 = hsm.makeToken("empty");
    const rows = checkModule(pkcs11);
    expect(rows.filter(({ needed, works }) => needed && !works)).toEqual([]);
    expect(rows.length).toBeGreaterThan(12);
    const module = loadModule(pkcs11.module, pkcs11.environment);
    module.ensureInitialised();
    const desk = openDesk(module, pkcs11);
    expect(desk.find(template({}))).toEqual([]);
    desk.close();
    module.finalise();
  });

  it("works beside a vault, and leaves its keys alone", () => {
    const { pkcs11 } = makeVault(hsm);
    expect(checkModule(pkcs11).filter(({ needed, works }) => needed && !works)).toEqual([]);
  });

  it("a token that is not there, or does not open, is one row", () => {
    const pkcs11 = hsm.makeToken("other");
    expect(checkModule({ ...pkcs11, tokenLabel: "nobody" })).toMatchObject([{ needed: true, works: false }]);
    expect(checkModule({ ...pkcs11, module: "/nowhere.so" })).toMatchObject([{ needed: true, works: false }]);
  });

  /** A module that lacks something, or does it wrongly. */
  const lame = <C extends "derive" | "wrap" | "unwrap" | "sign" | "copy">(
    call: C,
    as: (original: Session[C]) => Session[C],
  ) => {
    const pkcs11 = hsm.makeToken(`lame-${call}-${Math.trunc(performance.now())}`);
    const original = Session.prototype[call];
    (Session.prototype as { [name in C]: Session[C] })[call] = as(original);
    try {
      return checkModule(pkcs11).filter(({ needed, works }) => needed && !works);
    } finally {
      (Session.prototype as { [name in C]: Session[C] })[call] = original;
    }
  };

  it("a missing mechanism is named by the module's own word", () => {
    const rows = lame(
      "derive",
      (derive) =>
        function (this: Session, _, ...rest) {
          return derive.call(this, new Mechanism("NONE", 0x7fff_0000), ...rest);
        },
    );
    expect(rows.map(({ name }) => name)).toContain("session keys are derived as LoRaWAN wants, and wrapped (RFC 3394)");
    expect(rows.at(-1)?.remark).toContain("CKR_MECHANISM_INVALID");
  });

  it("a module that ignores CKA_EXTRACTABLE is found out", () => {
    const open = (what: ReturnType<typeof template>) => template(what.values, { EXTRACTABLE: true });
    const rows = lame(
      "unwrap",
      (unwrap) =>
        function (this: Session, mechanism, key, wrapped, what) {
          return unwrap.call(this, mechanism, key, wrapped, open(what));
        },
    );
    expect(rows.map(({ remark }) => remark).join()).toContain("root: CKA_EXTRACTABLE");
    expect(rows.map(({ name }) => name)).toContain("keys do only what they are for");
  });

  it("a module that signs wrongly is found out", () => {
    const rows = lame(
      "sign",
      (sign) =>
        function (this: Session, ...args) {
          return sign.apply(this, args).map((octet) => octet ^ 1);
        },
    );
    expect(rows.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["MICs (AES-CMAC)", "a P-256 key is made that only signs, and its signature verifies"]),
    );
  });

  it("is a process of its own, behind the permission model: rows out, and whether it will do", () => {
    const pkcs11 = hsm.makeToken("process");
    const run = (order: object, pinFile = pkcs11.pinFile) =>
      spawnSync(
        process.execPath,
        [
          ...["--permission", `--allow-fs-read=${project}`, `--allow-fs-read=${pinFile}`, "--allow-addons"],
          ...["--disable-warning=PERM0001", "--disable-warning=ExperimentalWarning"],
          join(project, "servers/vault/src/pkcs11/check.ts"),
        ],
        { input: JSON.stringify(order), encoding: "utf8" },
      );
    const good = run({ pkcs11 });
    expect([good.stderr, good.status]).toEqual(["", 0]);
    const { usable, rows } = JSON.parse(good.stdout);
    expect([usable, rows.length]).toEqual([true, checkModule(pkcs11).length]);
    const bad = run({ pkcs11: { ...pkcs11, tokenLabel: "nobody" } });
    expect([bad.stderr, bad.status]).toEqual(["", 0]);
    expect(JSON.parse(bad.stdout)).toMatchObject({ usable: false, rows: [{ needed: true, works: false }] });
    const none = run("not an order" as never);
    expect([none.status, none.stdout]).toEqual([1, ""]);
  });
});
