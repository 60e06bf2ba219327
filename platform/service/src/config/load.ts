/** One YAML file and the environment's overrides, over the defaults. */
import { parseDocument } from "yaml";
import { isSection, join, type Node, type Problem, problemsOf } from "./check.ts";
import { contradictions } from "./contradictions.ts";
import { type Config, ConfigSchema } from "./sections.ts";

export type Loaded = { readonly config: Config } | { readonly problems: readonly Problem[] };
export type Environment = { readonly [name: string]: string | undefined };

const prefix = "TREFOIL_";

/** The configuration, or everything that is wrong with it at once. `yamlText` may be absent: then all are defaults. */
export function loadConfig({
  yamlText = "",
  env = {},
}: {
  readonly yamlText?: string | undefined;
  readonly env?: Environment;
}): Loaded {
  const document = parseDocument(yamlText, { prettyErrors: true, uniqueKeys: true });
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map(({ message }) => ({
        key: "",
        message: `not YAML: ${message.split("\n")[0]?.replace(/:$/, "")}`,
      })),
    };
  }
  const written: unknown = document.toJS() ?? {};
  const fromEnv = overrides(env);
  const problems = [...problemsOf(ConfigSchema as Node, written), ...fromEnv.problems];
  if (problems.length > 0) return { problems };
  const config = merge(ConfigSchema as Node, written, fromEnv.values) as Config;
  const conflicts = contradictions(config);
  return conflicts.length > 0 ? { problems: conflicts } : { config };
}

/** Every default. */
export const defaultConfig = (): Config => merge(ConfigSchema as Node, {}, new Map()) as Config;

export type Setting = { readonly key: string; readonly env: string; readonly schema: Node };

/** All settings in order, with the variable that overrides each. */
export function settings(schema: Node = ConfigSchema as Node, path = ""): Setting[] {
  if (!schema.properties) return [{ key: path, env: variable(path), schema }];
  return Object.entries(schema.properties).flatMap(([name, inner]) => settings(inner, join(path, name)));
}

/** networkServer.link.port → TREFOIL_NETWORK_SERVER_LINK_PORT */
const variable = (path: string) => prefix + path.replace(/[A-Z]/g, "_$&").replaceAll(".", "_").toUpperCase();

function overrides(env: Environment): { values: Map<string, unknown>; problems: Problem[] } {
  const byVariable = new Map(settings().map((setting) => [setting.env, setting]));
  const values = new Map<string, unknown>();
  const problems: Problem[] = [];
  for (const [name, text] of Object.entries(env)) {
    const setting = byVariable.get(name);
    if (!setting || text === undefined) continue;
    const value = parse(text, setting.schema);
    const wrong = problemsOf(setting.schema, value, `${name} (${setting.key})`);
    if (wrong.length > 0) problems.push(...wrong);
    else values.set(setting.key, value);
  }
  return { values, problems };
}

function parse(text: string, schema: Node): unknown {
  const { type } = schema as { type?: string };
  if (type === "integer" && /^-?\d+$/.test(text)) return Number(text);
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

function merge(schema: Node, written: unknown, fromEnv: ReadonlyMap<string, unknown>, path = ""): unknown {
  if (!schema.properties) return fromEnv.get(path) ?? written ?? schema.default;
  const given = isSection(written) ? written : {};
  return Object.fromEntries(
    Object.entries(schema.properties)
      .map(([name, inner]) => [name, merge(inner, given[name], fromEnv, join(path, name))] as const)
      .filter(([, value]) => value !== undefined),
  );
}
