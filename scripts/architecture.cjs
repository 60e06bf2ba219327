/**
 * Who may know whom: the layers of docs/architecture.md and the duties of the design, as rules. Each says why.
 * Every rule is seen to fire on a toy tree in test/architecture.test.ts; scripts/checks/architecture.ts fails when a module went unseen.
 */
const workspaces = "(packages|platform|servers|apps)";
const tests = ["\\.(test|test-d)\\.ts$", "^test/", "^[^/]+/[^/]+/test/"];
const testing = "/src/testing(/|\\.ts$)";
const production = { path: `^${workspaces}/`, pathNot: [...tests, testing, "^apps/simulator/"] };
const core = (...names) => `^(node:)?(${names.join("|")})$`;
const npm = (...names) => `(^|/)node_modules/(${names.join("|")})/`;
const rule = (name, comment, from, to) => ({ name, severity: "error", comment, from, to });

module.exports = {
  forbidden: [
    rule("no-cycles", "A cycle has no first chapter to read.", {}, { circular: true }),
    rule(
      "everything-resolves",
      "An import that is not found is an import that no rule sees.",
      {},
      { couldNotResolve: true },
    ),
    rule(
      "front-door-only",
      "Another package is imported by its name: what its package.json exports is public, the rest is not.",
      { path: `^${workspaces}/([^/]+)/` },
      { path: `^${workspaces}/`, pathNot: "^$1/$2/", dependencyTypes: ["local"] },
    ),
    rule(
      "codec-is-the-bottom",
      "The protocol knows nothing of servers, storage or keys at rest.",
      { path: "^packages/lorawan/", pathNot: tests },
      { path: `^${workspaces}/`, pathNot: "^packages/lorawan/" },
    ),
    rule(
      "packages-are-pure",
      "What we know needs no socket, disk or clock.",
      { path: "^packages/", pathNot: tests },
      { dependencyTypes: ["core"] },
    ),
    rule(
      "packages-below-platform",
      "Knowledge does not depend on what runs it.",
      { path: "^packages/", pathNot: tests },
      { path: "^(platform|servers|apps|bench|scripts)/" },
    ),
    rule(
      "platform-below-servers",
      "What every server stands on knows none of them.",
      { path: "^platform/", pathNot: tests },
      { path: "^(servers|apps|bench|scripts)/" },
    ),
    rule(
      "wire-is-the-contract",
      "Types and tables of the messages only: whoever imports it gets nobody's code.",
      { path: "^platform/wire/", pathNot: tests },
      { pathNot: "^platform/wire/" },
    ),
    rule(
      "servers-meet-on-the-wire",
      "Separated duties: no server imports another.",
      { path: "^servers/([^/]+)/" },
      { path: "^servers/", pathNot: "^servers/$1/" },
    ),
    rule(
      "servers-are-started-not-imported",
      "Each is a process of its own, also when one command starts all of them.",
      { path: "^(packages|platform|apps|bench)/", pathNot: tests },
      { path: "^servers/" },
    ),
    rule(
      "servers-know-no-apps",
      "The supervisor, the console and the simulator are outside.",
      { path: "^servers/", pathNot: tests },
      { path: "^(apps|bench|scripts)/" },
    ),
    rule(
      "only-the-supervisor-starts-processes",
      "A server that could start processes could leave its fence (permission model, user).",
      { path: "^(packages|platform|servers)/", pathNot: [...tests, testing] },
      { path: core("child_process", "cluster") },
    ),
    rule(
      "one-door-to-sqlite",
      "Node's permission model does not cover node:sqlite: one package opens databases, and only those it is told to.",
      { path: `^${workspaces}/`, pathNot: ["^platform/store/", ...tests] },
      { path: core("sqlite") },
    ),
    rule(
      "one-door-to-the-token",
      "PKCS#11 is native code with the keys: one file of the vault loads it, and checks what goes in. servers/vault/test finds requires. Tests may play other tokens.",
      { path: "^", pathNot: ["^servers/vault/src/pkcs11/module\\.ts$", "^packages/sealing/test/"] },
      { path: npm("pkcs11js") },
    ),
    rule(
      "the-vault-has-no-network",
      "Its one door is the pipe that the supervisor hands it.",
      { path: "^servers/vault/", pathNot: tests },
      {
        path: [core("net", "http", "https", "http2", "tls", "dgram", "dns"), npm("fastify", "mqtt", "aedes", "ws")],
        dependencyTypesNot: ["type-only"],
      },
    ),
    rule(
      "the-gateway-server-needs-no-keys",
      "Nothing that it loads, however indirectly, can open or wrap a key.",
      { path: "^servers/gateway-server/", pathNot: tests },
      { path: "^platform/custody/", reachable: true },
    ),
    rule(
      "the-simulator-is-a-stranger",
      "It shares no code with what it tests.",
      { path: "^apps/simulator/", pathNot: tests },
      { path: `^${workspaces}/`, pathNot: "^apps/simulator/" },
    ),
    rule(
      "the-simulator-stays-outside",
      "Only the demo, the custody proof, benchmarks and tests may play with it.",
      { path: `^${workspaces}/`, pathNot: ["^apps/(simulator|trefoil)/", ...tests] },
      { path: "^apps/simulator/" },
    ),
    rule("no-tests-in-production", "Testing kits stay out of what ships.", production, {
      path: [testing, ...tests, npm("vitest", "fast-check", "lora-packet")],
    }),
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    // Without these, imports by package name are not resolved and every rule about them is blind.
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
