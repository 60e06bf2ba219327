/**
 * Leaks on order, to see the proof fail: copies of keys in any form, left by a process in its memory, its files, its log or a message. The
 * servers have no code for it: the tap leaves them (tap/plant.ts).
 */
import { join } from "node:path";
import { roles } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { type Form, formNames } from "./forms.ts";
import type { Known } from "./known.ts";
import { needlesOf } from "./needles.ts";
import { type Holder, type Kind, kinds, mayHold, type Place, places } from "./policy.ts";
import type { RunningNetwork } from "./running.ts";
import { disguise, type Plant } from "./tap/format.ts";
import type { Planter } from "./watch.ts";

export type Leak = { readonly holder: Holder; readonly place: Place; readonly kind: Kind; readonly form: Form };

/** Those who come to stand at marks, where orders are given. */
export const leakyHolders = ["gateway-server", "network-server", "application-server", "join-server"] as const;

/** Every key in every form at every place where a server may not have it. */
export const everyLeak = (): readonly Leak[] =>
  leakyHolders.flatMap((holder) =>
    places.flatMap((place) =>
      kinds
        .filter((kind) => !mayHold(holder, kind, place))
        .flatMap((kind) => formNames.map((form): Leak => ({ holder, place, kind, form }))),
    ),
  );

/** "root key:hex:log:network-server", each part as the proof's table or findings name it. */
export function parseLeak(text: string): Leak {
  const [kind, form, place, holder] = text.split(":");
  const leak = {
    kind: kinds.find((known) => known === kind),
    form: formNames.find((known) => known === form),
    place: places.find((known) => known === place),
    holder: leakyHolders.find((known) => known === holder),
  };
  if (leak.kind && leak.form && leak.place && leak.holder) return leak as Leak;
  throw new UserError(
    "input/leak",
    `--plant-leak: expected KIND:FORM:PLACE:SERVER, such as "root key:hex:log:network-server"; found "${text}"`,
  );
}

/** Leaves them as soon as the first secret of the kind is known. What cannot be leaked (a form that is written like another) is told in `left`. */
export function leakPlanter(leaks: readonly Leak[], network: RunningNetwork, known: Known, left: Leak[]): Planter {
  const waiting = new Set(leaks);
  return ({ holder }) => {
    const secrets = known.secrets(network.records);
    return places.flatMap((place): Plant[] => {
      const parts: Uint8Array[] = [];
      for (const leak of waiting) {
        if (leak.holder !== holder || leak.place !== place) continue;
        const secret = secrets.find(({ kind }) => kind === leak.kind);
        if (secret === undefined) continue;
        waiting.delete(leak);
        const needle = needlesOf([secret]).find(({ form }) => form === leak.form);
        if (needle === undefined) continue;
        left.push(leak);
        parts.push(needle.octets, new Uint8Array(16));
      }
      return parts.length === 0 ? [] : [plantOf(place, holder, Buffer.concat(parts), network)];
    });
  };
}

function plantOf(place: Place, holder: Holder, octets: Uint8Array, { dataDir, running }: RunningNetwork): Plant {
  const disguised = disguise(octets);
  switch (place) {
    case "files":
      return { in: "files", path: join(dataDir, holder, "planted"), disguised };
    case "messages": {
      const other = roles.find((role) => role !== holder && running[role]?.listeners.http !== undefined);
      return { in: "messages", port: other === undefined ? 0 : (running[other]?.listeners.http?.port ?? 0), disguised };
    }
    default:
      return { in: place, disguised };
  }
}
