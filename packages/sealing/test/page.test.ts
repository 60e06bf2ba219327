/** The package as it is, with its types stripped, in a web page: a real browser seals, @trefoil/custody opens. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { decodeSealingKey, openSealed } from "@trefoil/custody";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, openBrowser } from "../../../test/browser.ts";
import { hasService } from "../../../test/services.ts";

const vectors = JSON.parse(readFileSync(new URL("../../../vectors/sealed-key.json", import.meta.url), "utf8"));
const source = (name: string) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8");
const script = `
  import { parseReceiver, sealKeys, showFingerprint } from "/index.ts";
  const receiver = await parseReceiver(${JSON.stringify(vectors.receiver.publicKey)});
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  const ids = { joinEui: "70b3d57ed0000001", devEui: "0011223344556677" };
  const sealed = await sealKeys(receiver, [{ role: "NwkKey", ...ids, key }, { role: "AppKey", ...ids, key }]);
  document.title = JSON.stringify({ sealed, shown: showFingerprint(receiver.fingerprint) });
`;
// The page may load this package's modules and do nothing else.
const policy = "default-src 'none'; script-src 'self'";

function serve(): Promise<Server> {
  const files: { readonly [path: string]: readonly [string, () => string] } = {
    "/": ["text/html", () => '<!doctype html><title></title><script type="module" src="/page.js"></script>'],
    "/page.js": ["text/javascript", () => script],
  };
  const server = createServer(({ url = "" }, response) => {
    const [type, text] = /^\/[a-z]+\.ts$/.test(url)
      ? (["text/javascript", () => stripTypeScriptTypes(source(url.slice(1)))] as const)
      : (files[url] ?? ["text/plain", () => ""]);
    response.writeHead(200, { "content-type": type, "content-security-policy": policy }).end(text());
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

describe.skipIf(!hasService("chromium"))("sealing in a real browser page", () => {
  let server: Server;
  let browser: Browser;
  beforeAll(async () => {
    server = await serve();
    browser = await openBrowser();
  });
  afterAll(async () => {
    server?.close();
    await browser?.close();
  });

  it("what a page sealed opens at its receiver, as the keys that they were", async () => {
    const look = await browser.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await expect.poll(() => look("document.title"), { timeout: 20_000 }).toContain("sealed");
    const { sealed, shown } = JSON.parse(await look("document.title"));
    expect(shown.replaceAll(" ", "")).toBe(vectors.receiver.fingerprint);
    const opened = openSealed(decodeSealingKey(Buffer.from(vectors.receiver.privateKeyPkcs8, "base64")), sealed);
    if (opened.result !== "opened") return expect.unreachable(opened.code);
    expect(opened.keys.map(({ key }) => [key.role, key.expose((octets) => [...octets])])).toEqual(
      ["NwkKey", "AppKey"].map((role) => [role, [...Array(16).keys()]]),
    );
  });
});
