/**
 * The calls of a join and nothing else, in a loop: what `npm run bench -- joins` judges the whole path by. A process of its own, run as the
 * vault's user, beside no other of this vault.
 *
 * Standard input: one line of JSON `Order`, and one more line to begin. Standard output: a line "ready", then one line `{ joins, seconds, cpuMicros }`.
 */
import { createInterface } from "node:readline";
import { becomeUser } from "@trefoil/service";
import { type EngineConfig, pkcs11Options, withEngine } from "../engine.ts";
import type { Token } from "../token.ts";
import { derived128, derived256, unwrapped } from "./keys.ts";
import { aesCmac, aesEcb, aesKeyWrap, cbcEncryptData } from "./mechanisms.ts";
import { loadAddOn, loadModule } from "./module.ts";
import { openDeskPatiently, openKeys } from "./open.ts";
import { readPinned } from "./pinned.ts";

type Order = EngineConfig & {
  readonly dataDir: string;
  readonly macVersion: "1.0.4" | "1.1";
  readonly seconds: number;
  readonly identity?: { readonly uid: number; readonly gid: number };
};
type Calls<H> = Pick<
  Token<H>,
  "storageKey" | "derive256" | "derive128" | "unwrap" | "wrap" | "cmac" | "decryptBlocks" | "destroy"
>;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const nextLine = async () => (await lines.next()).value as string;
const order = JSON.parse(await nextLine()) as Order;
if (order.engine === "pkcs11") loadAddOn();
if (order.identity !== undefined) becomeUser(order.identity);
await measure(order.engine === "pkcs11" ? moduleCalls(order) : softwareCalls(order));
process.exit(0);

/** Straight to the module: none of the vault's guards between. */
function moduleCalls({ dataDir, pkcs11 }: Order): (use: <H>(calls: Calls<H>) => void) => void {
  const options = pkcs11Options(pkcs11);
  const module = loadModule(options.module, options.environment);
  const desk = openDeskPatiently(module, options);
  const { storage } = openKeys(module, desk, readPinned(dataDir));
  const { objects } = desk;
  return (use) =>
    use({
      storageKey: storage,
      derive256: (from, blocks, as) => objects.derive(cbcEncryptData(blocks), from, derived256[as]),
      derive128: (from, block, as) => objects.derive(cbcEncryptData(block), from, derived128[as]),
      unwrap: (under, wrapped, as) => objects.unwrap(aesKeyWrap, under, wrapped, unwrapped[as]),
      wrap: (under, key) => objects.wrap(aesKeyWrap, under, key, 40),
      cmac: (key, message) => desk.sign(aesCmac, key, message, 16),
      decryptBlocks: (key, blocks) => desk.decrypt(aesEcb, key, blocks),
      destroy: (key) => objects.destroy(key),
    });
}

function softwareCalls({ dataDir, ...config }: Order): (use: <H>(calls: Calls<H>) => void) => void {
  return (use) => withEngine(dataDir, config, use);
}

async function measure(withCalls: (use: <H>(calls: Calls<H>) => void) => void): Promise<void> {
  let join = () => {};
  withCalls((calls) => {
    join = order.macVersion === "1.1" ? join11(calls) : join10(calls);
  });
  for (let i = 0; i < 500; i += 1) join();
  process.stdout.write("ready\n");
  await nextLine();
  let joins = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  const end = started + order.seconds * 1_000;
  while (performance.now() < end) {
    join();
    joins += 1;
  }
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${JSON.stringify({ joins, seconds, cpuMicros: user + system })}\n`);
}

function prepared<H>(calls: Calls<H>) {
  const blocks = Uint8Array.from({ length: 32 }, (_, i) => i);
  const block = blocks.subarray(0, 16);
  const wrapping = calls.derive256(calls.storageKey, blocks, "wrapping");
  const label = calls.derive256(calls.storageKey, blocks, "label");
  const blob = calls.wrap(wrapping, calls.derive128(label, block, "transit"));
  const kek = calls.unwrap(wrapping, blob, "kek") as H;
  const open = () => {
    const under = calls.derive256(calls.storageKey, blocks, "wrapping");
    const root = calls.unwrap(under, blob, "root") as H;
    calls.destroy(under);
    return root;
  };
  const wrapped = (root: H) => {
    const key = calls.derive128(root, block, "transit");
    calls.wrap(kek, key);
    return key;
  };
  return { block, open, wrapped, joinRequest: blocks.subarray(0, 19), accept: blocks.subarray(0, 13) };
}

/** TS001-1.0.4 §6.2: one root key, MIC, MIC and encryption of the join-accept, two session keys. */
function join10<H>(calls: Calls<H>): () => void {
  const { block, open, wrapped, joinRequest, accept } = prepared(calls);
  return () => {
    const root = open();
    calls.cmac(root, joinRequest);
    calls.cmac(root, accept);
    calls.decryptBlocks(root, block);
    for (const key of [root, wrapped(root), wrapped(root)]) calls.destroy(key);
  };
}

/** LoRaWAN 1.1 §6.2: two root keys, JSIntKey, four session keys. */
function join11<H>(calls: Calls<H>): () => void {
  const { block, open, wrapped, joinRequest, accept } = prepared(calls);
  return () => {
    const [app, nwk] = [open(), open()];
    const jsInt = calls.derive128(nwk, block, "js-int");
    calls.cmac(nwk, joinRequest);
    calls.cmac(jsInt, accept);
    calls.decryptBlocks(nwk, block);
    const made = [wrapped(nwk), wrapped(nwk), wrapped(nwk), wrapped(app)];
    for (const key of [app, nwk, jsInt, ...made]) calls.destroy(key);
  };
}
