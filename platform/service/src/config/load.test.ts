import { expect, test } from "vitest";
import { configFor, defaultConfig, loadConfig, printConfig, settings } from "./index.ts";

const problems = (yamlText: string, env = {}) => {
  const loaded = loadConfig({ yamlText, env });
  return "problems" in loaded ? loaded.problems.map(({ key, message }) => `${key}: ${message}`) : [];
};

test("every key is optional: an empty file gives the defaults", () => {
  expect(loadConfig({ yamlText: "# nothing\n" })).toEqual({ config: defaultConfig() });
  expect(loadConfig({ yamlText: "networkServer:\n" })).toEqual({ config: defaultConfig() });
  const config = defaultConfig();
  expect(config.gatewayServer.udp).toEqual({ host: "0.0.0.0", port: 1700 });
  expect(config.network).toEqual({
    netId: "000000",
    region: "EU868",
    asId: "trefoil-as",
    allowUnverifiedRegion: false,
    appSKey: "join-ans",
  });
});

test("what is written and what the environment says replace defaults key by key, the environment last", () => {
  const loaded = loadConfig({
    yamlText: "networkServer: { link: { port: 5 }, rxDelay: 3 }",
    env: { TREFOIL_NETWORK_SERVER_LINK_PORT: "0", TREFOIL_NETWORK_ALLOW_UNVERIFIED_REGION: "true", PATH: "/bin" },
  });
  expect(loaded).toMatchObject({
    config: {
      networkServer: { link: { host: "127.0.0.1", port: 0 }, rxDelay: 3 },
      network: { allowUnverifiedRegion: true },
    },
  });
});

test("messages name the key, what was expected and what was found", () => {
  expect(problems('gatewayServer: { udp: { port: "many" }, unknownGateways: maybe }')).toEqual([
    'gatewayServer.udp.port: expected a port number from 0 to 65535 (0: any free one), found "many"',
    'gatewayServer.unknownGateways: expected one of refuse, accept, found "maybe"',
  ]);
  expect(problems("network: { netId: 000013 }")[0]).toMatch(
    /^network.netId: expected a NetID: 6 hex digits in quotation marks, found /,
  );
  expect(problems("", { TREFOIL_JOIN_SERVER_HTTP_PORT: "-1" })[0]).toMatch(
    /^TREFOIL_JOIN_SERVER_HTTP_PORT \(joinServer.http.port\): expected a port/,
  );
});

test("an unknown key is refused, with the nearest name there is", () => {
  expect(problems("networkserver: {}")).toEqual(["networkserver: is not a setting; did you mean networkServer?"]);
  expect(problems("joinServer: { interrop: {} }")).toEqual([
    "joinServer.interrop: is not a setting; did you mean interop?",
  ]);
  expect(problems("users: { zzzzzz: 1 }")).toEqual(["users.zzzzzz: is not a setting; known are mode, firstId"]);
  expect(problems("__proto__: { a: 1 }\nconstructor: 2").length).toBeGreaterThan(0);
});

test("a file that is not YAML, or not a section, is one clear sentence", () => {
  expect(problems("a: [1")[0]).toMatch(/^: not YAML: /);
  expect(problems("- 1")[0]).toMatch(/expected a section with keys, found \[1\]/);
  expect(problems("data: a\ndata: b")[0]).toMatch(/not YAML: .*unique/i);
});

test("what is printed loads again to the same configuration", () => {
  expect(loadConfig({ yamlText: printConfig(defaultConfig()) })).toEqual({ config: defaultConfig() });
});

test("every setting says what it expects and has a default that fits, or may be left out; its variable is its path in capitals", () => {
  const mayBeLeftOut = settings().flatMap(({ schema, key }) => (schema.default === undefined ? [key] : []));
  expect(mayBeLeftOut).toEqual([
    "network.nsId",
    "vault.passphraseFile",
    "vault.pkcs11.module",
    "vault.pkcs11.tokenLabel",
    "vault.pkcs11.pinFile",
  ]);
  for (const { schema, key } of settings()) expect([key, schema.description !== undefined]).toEqual([key, true]);
  expect(problems(printConfig(defaultConfig()))).toEqual([]);
  expect(settings().find(({ key }) => key === "applicationServer.mqtt.port")?.env).toBe(
    "TREFOIL_APPLICATION_SERVER_MQTT_PORT",
  );
});

test("a process gets its own section and the network's", () => {
  expect(Object.keys(configFor(defaultConfig(), "join-server"))).toEqual([
    "interop",
    "http",
    "hostNames",
    "limits",
    "network",
  ]);
  expect(Object.keys(configFor(defaultConfig(), "vault"))).toEqual(["engine", "processes", "pkcs11", "network"]);
});

test("settings that need each other: a token needs its module, label and PIN file; a secret never goes into the environment", () => {
  expect(problems("vault: { engine: pkcs11, pkcs11: { module: /lib/softhsm2.so } }")).toEqual([
    "vault.pkcs11.tokenLabel: is needed when vault.engine is pkcs11",
    "vault.pkcs11.pinFile: is needed when vault.engine is pkcs11",
  ]);
  const whole = "module: /lib/m.so, tokenLabel: trefoil, pinFile: 'credential:pin'";
  expect(
    problems(`vault: { engine: pkcs11, pkcs11: { ${whole}, environment: { SOFTHSM2_CONF: /etc/s.conf } } }`),
  ).toEqual([]);
  expect(problems(`vault: { pkcs11: { environment: { TOKEN_PIN: "1234" } } }`)[0]).toMatch(/looks like a secret/);
  expect(problems("vault: { pkcs11: { pinFile: pin.txt } }")[0]).toMatch(
    /expected an absolute path, or credential:NAME/,
  );
  expect(problems("vault: { pkcs11: { environment: { 'A B': x } } }")[0]).toMatch(
    /expected names of the module's own variables/,
  );
});

test("a foreign Join Server is pinned by key or by CA, and its range goes upwards", () => {
  const row = (more: string) => `networkServer: { joinServers: [{ url: "https://js.example", ${more} }] }`;
  const range = "joinEuis: { first: '70b3d57ed0000000', last: '70b3d57ed00000ff' }";
  expect(problems(row(`${range}, pin: "${"ab".repeat(32)}"`))).toEqual([]);
  expect(problems(row(`${range}, ca: /etc/js.pem`))).toEqual([]);
  expect(problems(row(range))[0]).toMatch(/joinServers\[0\]: exactly one of pin and ca/);
  expect(problems(row(`joinEuis: { first: '70b3d57ed0000001', last: '70b3d57ed0000000' }, ca: /a`))[0]).toMatch(
    /first is after last/,
  );
  expect(problems(row(`joinEuis: 7, ca: /a`))[0]).toMatch(/^networkServer.joinServers: expected a list of/);
});
