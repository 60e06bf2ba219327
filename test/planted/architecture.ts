/**
 * A toy tree with one violation per rule of scripts/architecture.cjs, and what is allowed beside it.
 * Written to a throw-away folder by test/architecture.test.ts; `rules` is exactly what must fire for that file.
 */
export type Planted = { readonly file: string; readonly source: string; readonly rules: readonly string[] };

/** Clean workspaces: name and folder as in the real tree. Each gets a package.json and an index. */
export const workspaces = [
  "packages/lorawan",
  "packages/backend-interfaces",
  "platform/wire",
  "platform/store",
  "platform/service",
  "platform/custody",
  "servers/gateway-server",
  "servers/network-server",
  "servers/vault",
  "apps/trefoil",
  "apps/simulator",
];
/** Empty packages that stand for the real ones in node_modules. */
export const npmPackages = ["pkcs11js", "fastify", "vitest"];

export const planted: readonly Planted[] = [
  { rules: ["no-cycles"], file: "platform/store/src/cycle-a.ts", source: 'import "./cycle-b.ts";' },
  { rules: [], file: "platform/store/src/cycle-b.ts", source: 'import type {} from "./cycle-a.ts";' }, // one report a cycle,
  { rules: ["everything-resolves"], file: "platform/store/src/nowhere.ts", source: 'import "./not-there.ts";' },
  { rules: ["everything-resolves"], file: "platform/service/src/not-exported.ts", source: 'import "@trefoil/store/src/private.ts";' },
  { rules: ["front-door-only"], file: "servers/network-server/src/private.ts", source: 'import "../../../platform/store/src/index.ts";' },
  { rules: ["codec-is-the-bottom"], file: "packages/lorawan/src/upwards.ts", source: 'export type { index } from "@trefoil/backend-interfaces";' },
  { rules: ["packages-are-pure"], file: "packages/backend-interfaces/src/reads.ts", source: 'import "node:fs";' },
  { rules: ["packages-are-pure"], file: "packages/backend-interfaces/src/reads-later.ts", source: 'export const fs = () => import("fs");' },
  { rules: ["packages-below-platform"], file: "packages/backend-interfaces/src/platform.ts", source: 'import "@trefoil/store";' },
  { rules: ["platform-below-servers"], file: "platform/service/src/app.ts", source: 'import type {} from "@trefoil/trefoil";' },
  { rules: ["wire-is-the-contract"], file: "platform/wire/src/codec.ts", source: 'import "@trefoil/lorawan";' },
  { rules: ["servers-meet-on-the-wire"], file: "servers/network-server/src/neighbour.ts", source: 'import type {} from "@trefoil/gateway-server";' },
  { rules: ["servers-are-started-not-imported"], file: "apps/trefoil/src/imports-a-server.ts", source: 'import "@trefoil/vault";' },
  { rules: ["servers-know-no-apps"], file: "servers/network-server/src/app.ts", source: 'import "@trefoil/trefoil";' },
  { rules: ["only-the-supervisor-starts-processes"], file: "servers/network-server/src/starts.ts", source: 'import "node:child_process";' },
  { rules: ["one-door-to-sqlite"], file: "servers/network-server/src/database.ts", source: 'import "node:sqlite";' },
  { rules: ["one-door-to-the-token"], file: "servers/network-server/src/token.ts", source: 'import "pkcs11js";' },
  { rules: ["one-door-to-the-token"], file: "servers/vault/src/pkcs11/second-door.ts", source: 'export const addOn = () => import("pkcs11js");' },
  { rules: ["the-vault-has-no-network"], file: "servers/vault/src/listens.ts", source: 'import "node:net";' },
  { rules: ["the-vault-has-no-network"], file: "servers/vault/src/serves.ts", source: 'import "fastify";' },
  { rules: ["the-gateway-server-needs-no-keys"], file: "servers/gateway-server/src/indirect.ts", source: 'import "./helper.ts";' },
  { rules: ["the-gateway-server-needs-no-keys"], file: "servers/gateway-server/src/helper.ts", source: 'import "@trefoil/custody";' },
  { rules: ["the-simulator-is-a-stranger"], file: "apps/simulator/src/borrows.ts", source: 'import "@trefoil/lorawan";' },
  { rules: ["the-simulator-stays-outside"], file: "apps/console/src/plays.ts", source: 'import "@trefoil/simulator";' },
  { rules: ["no-tests-in-production"], file: "platform/service/src/kit.ts", source: 'import "./testing.ts";' },
  { rules: ["no-tests-in-production"], file: "platform/custody/src/asserts.ts", source: 'import "vitest";' },

  { rules: [], file: "servers/vault/src/pkcs11/module.ts", source: 'import "pkcs11js"; import type {} from "node:net";' },
  { rules: [], file: "platform/store/src/database.ts", source: 'import "node:sqlite"; import "@trefoil/wire"; import "@trefoil/lorawan";' },
  { rules: [], file: "platform/service/src/testing.ts", source: 'import "node:child_process";' },
  { rules: [], file: "packages/lorawan/src/frame.test.ts", source: 'import "vitest"; import "node:fs"; import "@trefoil/simulator";' },
  { rules: [], file: "apps/trefoil/src/demo.ts", source: 'import "@trefoil/simulator"; import "@trefoil/custody"; import "node:child_process";' },
];
