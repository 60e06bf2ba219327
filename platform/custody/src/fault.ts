/** Trouble with the vault, in the shape that every Fault of Trefoil has. (Not the store's class: the vault loads no database.) */
export class VaultFault extends Error {
  override readonly name = "Fault";
  readonly code: string;
  readonly retry: "now" | "later" | "never";
  readonly fields: { readonly [name: string]: string | number | boolean } = {};

  constructor(code: string, message: string, retry: "now" | "later" | "never") {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}
