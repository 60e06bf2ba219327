/** Files that Biome must refuse, and the rule that must fire; `none` for what is allowed. */
const pure = "packages/toy/src";
const restricted = "lint/style/noRestrictedGlobals";

export const planted: readonly { readonly file: string; readonly source: string; readonly rule: string }[] = [
  { rule: restricted, file: `${pure}/buffer.ts`, source: "export const a = () => Buffer.alloc(1);\n" },
  { rule: restricted, file: `${pure}/process.ts`, source: "export const a = () => process.pid;\n" },
  { rule: restricted, file: `${pure}/date.ts`, source: "export const a = () => Date.now();\n" },
  { rule: restricted, file: `${pure}/new-date.ts`, source: "export const a = () => new Date();\n" },
  { rule: restricted, file: `${pure}/performance.ts`, source: "export const a = () => performance.now();\n" },
  { rule: restricted, file: `${pure}/timeout.ts`, source: "export const a = () => setTimeout(() => undefined, 1);\n" },
  { rule: restricted, file: `${pure}/interval.ts`, source: "export const a = () => setInterval(() => undefined, 1);\n" },
  { rule: restricted, file: `${pure}/crypto.ts`, source: "export const a = () => crypto.randomUUID();\n" },
  { rule: restricted, file: `${pure}/fetch.ts`, source: 'export const a = () => fetch("x");\n' },
  { rule: restricted, file: `${pure}/console.ts`, source: 'export const a = () => console.log("x");\n' },
  { rule: "plugin", file: `${pure}/random.ts`, source: "export const a = () => Math.random();\n" },
  { rule: "plugin", file: `${pure}/deep/global.ts`, source: "export const a = () => globalThis.Math.PI;\n" },
  { rule: "lint/suspicious/noExplicitAny", file: "servers/toy/src/any.ts", source: "export const a = (b: any) => b;\n" },
  { rule: "format", file: "servers/toy/src/format.ts", source: "export const a='b'\n" },
  { rule: "none", file: `${pure}/floor.ts`, source: "export const a = () => Math.floor(2.5);\n" },
  { rule: "none", file: `${pure}/floor.test.ts`, source: "export const a = () => Math.random() + Date.now();\n" },
  { rule: "none", file: "servers/toy/src/clock.ts", source: "export const a = () => Math.random() + Date.now();\n" },
];
