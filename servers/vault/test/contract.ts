/**
 * What every engine of the vault must do, and must refuse, asked through the port: one file for each subject. The forbidden cells of
 * docs/authority.md are in contract/authority.ts.
 */
import { describe } from "vitest";
import { auditLogRules } from "./contract/audit-log.ts";
import { authorityRules } from "./contract/authority.ts";
import { derivedRules } from "./contract/derived.ts";
import { importRules } from "./contract/imports.ts";
import { joinRules } from "./contract/joins.ts";
import type { Engine } from "./contract/kit.ts";
import { rejoinRules } from "./contract/rejoins.ts";
import { statementRules } from "./contract/statements.ts";

export type { Engine, MadeVault } from "./contract/kit.ts";

export function vaultContract(engine: Engine): void {
  describe(`${engine.name} vault`, () => {
    describe("joins", () => joinRules(engine));
    describe("rejoins", () => rejoinRules(engine));
    describe("imports", () => importRules(engine));
    describe("derived root keys", () => derivedRules(engine));
    describe("statements", () => statementRules(engine));
    describe("forbidden (docs/authority.md)", () => authorityRules(engine));
    describe("audit log", () => auditLogRules(engine));
  });
}
