/**
 * Topic filters of one application, as questions that cost little: which kinds of topic, of which device. A filter may begin with
 * wildcards (`#`, `v3/#`, `v3/+/…`): it is read as one of the own application, as The Things Stack does.
 */
import { topicKinds } from "../log/events.ts";

/** `kinds`: a bit for each of `topicKinds`. `deviceId` absent: all devices. */
export type Filter = { readonly kinds: number; readonly deviceId?: string };

const mostLevels = 16;
const kindLevels = topicKinds.map((kind) => kind.split("/"));

/** The filter, or undefined where it can match nothing that this application may see. */
export function parseFilter(applicationId: string, text: string): Filter | undefined {
  const levels = text.split("/");
  if (levels.length > mostLevels || levels.some(isMisplaced)) return undefined;
  const fixed = ["v3", applicationId, "devices"];
  let deviceId: string | undefined;
  for (let i = 0; i < 4; i++) {
    const level = levels[i];
    if (level === "#") return i === levels.length - 1 ? withKinds([level], deviceId) : undefined;
    if (level === undefined) return undefined;
    if (level === "+") continue;
    if (i === 3) deviceId = level;
    else if (level !== fixed[i]) return undefined;
  }
  return withKinds(levels.slice(4), deviceId);
}

/** `#` stands alone and last, `+` alone (MQTT 3.1.1 §4.7.1). */
const isMisplaced = (level: string, i: number, levels: readonly string[]): boolean =>
  (level.includes("#") && (level !== "#" || i !== levels.length - 1)) || (level.includes("+") && level !== "+");

/** `rest`: the levels that follow the device id, or the `#` that stands for them. */
function withKinds(rest: readonly string[], deviceId: string | undefined): Filter | undefined {
  let kinds = 0;
  for (const [bit, levels] of kindLevels.entries()) if (matches(rest, levels)) kinds |= 1 << bit;
  if (kinds === 0) return undefined;
  return deviceId === undefined ? { kinds } : { kinds, deviceId };
}

function matches(filter: readonly string[], topic: readonly string[]): boolean {
  for (const [i, level] of filter.entries()) {
    if (level === "#") return true; // Also the level above (§4.7.1.2).
    if (topic[i] === undefined || (level !== "+" && level !== topic[i])) return false;
  }
  return filter.length === topic.length;
}
