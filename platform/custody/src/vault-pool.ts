/**
 * Several processes of one vault as one Vault. Joins go to the process with the fewest requests under way; what changes or reads what all
 * share goes to instance 0, which alone takes statements in.
 */
import type { Duplex } from "node:stream";
import { Fault } from "@trefoil/store";
import type { SignedStatement } from "@trefoil/wire";
import { type VaultClient, type VaultClientOptions, vaultClient } from "./vault-client.ts";
import { type Vault, type VaultMethod, type VaultMethods, vaultMethods } from "./vault-port.ts";

export type VaultPool = Vault & {
  /** Takes the pipe of one process of the vault: its first, or a new one after it was started again. */
  readonly attach: (instance: number, pipe: Duplex) => void;
  /** The processes that were ever attached, in order of instance: for `status`, which each answers for itself. */
  readonly each: () => readonly { readonly instance: number; readonly vault: Vault; readonly connected: boolean }[];
  /** Whether any process can be asked. */
  readonly connected: boolean;
  readonly pending: number;
  readonly close: () => void;
};

/** What any process can do, and another if one is killed over it. The rest is asked of instance 0. */
const shared: readonly VaultMethod[] = ["join", "rejoin", "importRootKeys", "exposure"];

export function vaultPool(options?: VaultClientOptions): VaultPool {
  const clients = new Map<number, VaultClient>();
  const makeClient = () =>
    vaultClient(undefined, {
      ...options,
      canGoElsewhere: (method) => shared.includes(method) && isAnyConnected(),
    });
  const isAnyConnected = () => [...clients.values()].some(({ connected }) => connected);
  const first = makeClient();
  clients.set(0, first);
  const attached = new Set<number>();

  const idlest = (): VaultClient => {
    let chosen: VaultClient = first;
    for (const client of clients.values())
      if (client.connected && (!chosen.connected || client.pending < chosen.pending)) chosen = client;
    return chosen;
  };
  const askFirst =
    <Method extends VaultMethod>(method: Method) =>
    (body: VaultMethods[Method]["body"]) =>
      (first[method] as Vault[Method])(body);
  const askAny =
    <Method extends VaultMethod>(method: Method) =>
    async (body: VaultMethods[Method]["body"]) => {
      const asked = idlest();
      try {
        return await (asked[method] as Vault[Method])(body);
      } catch (error) {
        const other = idlest();
        if (!isUnreachable(error) || other === asked || !other.connected) throw error;
        return (other[method] as Vault[Method])(body);
      }
    };
  const asked = Object.fromEntries(
    vaultMethods.map((method) => [method, shared.includes(method) ? askAny(method) : askFirst(method)]),
  ) as unknown as Vault;

  return {
    ...asked,
    statements: ({ after }) => (after === undefined ? allStatements(first) : first.statements({ after })),
    attach(instance, pipe) {
      const client = clients.get(instance) ?? makeClient();
      clients.set(instance, client);
      attached.add(instance);
      client.attach(pipe);
    },
    each: () =>
      [...attached]
        .sort((a, b) => a - b)
        .map((instance) => {
          const client = clients.get(instance) as VaultClient;
          return { instance, vault: client, connected: client.connected };
        }),
    get connected() {
      return isAnyConnected();
    },
    get pending() {
      return [...clients.values()].reduce((sum, { pending }) => sum + pending, 0);
    },
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}

const isUnreachable = (error: unknown) => error instanceof Fault && error.code === "vault/unreachable";

/** Page by page: a million assignments are no single frame. */
async function allStatements(vault: Vault): Promise<readonly SignedStatement[]> {
  const all: SignedStatement[] = [];
  for (let page = await vault.statements({}); page.length > 0; ) {
    for (const signed of page) all.push(signed);
    page = await vault.statements({ after: page[page.length - 1]?.signature ?? "" });
  }
  return all;
}
