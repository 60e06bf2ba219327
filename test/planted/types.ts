/** One file per strict flag of tsconfig.json, and the error that it must give. */
export const planted: readonly { readonly flag: string; readonly code: string; readonly source: string }[] = [
  { flag: "strictNullChecks", code: "TS2322", source: "export const a: number = undefined;" },
  { flag: "noImplicitAny", code: "TS7006", source: "export const a = (b) => b;" },
  { flag: "noUncheckedIndexedAccess", code: "TS2322", source: "export const a: number = ([] as number[])[0];" },
  {
    flag: "exactOptionalPropertyTypes",
    code: "TS2375",
    source: "export const a: { b?: number } = { b: undefined };",
  },
  { flag: "erasableSyntaxOnly", code: "TS1294", source: "export enum A { B }" },
  {
    flag: "verbatimModuleSyntax",
    code: "TS1484",
    source: 'import { NetConnectOpts } from "node:net"; export type A = NetConnectOpts;',
  },
  {
    flag: "noImplicitOverride",
    code: "TS4114",
    source: "class A { b() {} } export class C extends A { b() {} }",
  },
  {
    flag: "noFallthroughCasesInSwitch",
    code: "TS7029",
    source: "export const a = (b: number) => { switch (b) { case 1: b++; case 2: return b; } return 0; };",
  },
];
