import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@trefoil/store";
import type { NetworkEvent } from "@trefoil/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../test/world.ts";
import { store as definition, type HotStatement } from "../schema.ts";
import { Outbox, type OutboxBatch } from "./outbox.ts";
import { Sender, senderDefaults } from "./sender.ts";

let dir: string;
let store: Store<HotStatement>;
const open = async () => {
  store = await openStore({ ...definition, file: join(dir, "store.sqlite"), role: "network-server" });
};
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "outbox-"));
  await open();
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const event = (n: number) => ({ is: "uplink", id: `u${n}` }) as unknown as NetworkEvent;
type Sent = OutboxBatch & { readonly answer: () => void; readonly refuse: (error?: Error) => void };

function make(options: Partial<typeof senderDefaults> & { keepEvents?: number } = {}) {
  const sent: Sent[] = [];
  const quarantined: string[] = [];
  const sender = new Sender(
    store,
    {
      send: (batch) =>
        new Promise((resolve, reject) => {
          sent.push({ ...batch, answer: () => resolve({}), refuse: (error = new Error("refused")) => reject(error) });
        }),
      failed: () => undefined,
      quarantined: ({ id }) => void quarantined.push(id),
    },
    { ...senderDefaults, retryMs: 5, cursorEveryMs: 10, keepEvents: 1_000, ...options },
  );
  return { sent, quarantined, sender, outbox: new Outbox(store, (batch) => sender.add(batch)) };
}
const numbers = (sent: readonly Sent[]) => sent.map(({ sequence }) => sequence);

test("batches go out in order, as many ahead of the answers as the window allows", async () => {
  const { sent, sender, outbox } = make({ window: 3 });
  sender.up();
  for (let n = 1; n <= 5; n++) await outbox.commit([], [event(n)]);
  expect(numbers(sent)).toEqual([1, 2, 3]);
  sent[0]?.answer();
  await until(() => sent.length === 4);
  expect(sent.map(({ events }) => events[0]?.id)).toEqual(["u1", "u2", "u3", "u4"]);
  await sender.close();
});

test("what was not answered is sent again after a lost link, unchanged and in order", async () => {
  const { sent, sender, outbox } = make();
  sender.up();
  for (let n = 1; n <= 3; n++) await outbox.commit([], [event(n)]);
  sent[0]?.answer();
  // Answered out of order: the cursor waits for the oldest.
  sent[2]?.answer();
  await until(() => sender.answered === 1);
  sender.down();
  await outbox.commit([], [event(4)]);
  expect(sent).toHaveLength(3);
  sender.up();
  expect(numbers(sent.slice(3))).toEqual([2, 3, 4]);
  expect(sent[3]?.events).toEqual([event(2)]);
  await sender.close();
});

test("a refused batch holds back those behind it, and is sent again before them", async () => {
  const { sent, sender, outbox } = make();
  sender.up();
  await outbox.commit([], [event(1)]);
  await outbox.commit([], [event(2)]);
  sent[0]?.refuse();
  sent[1]?.answer();
  await until(() => sent.length >= 4);
  expect(numbers(sent.slice(2, 4))).toEqual([1, 2]);
  await sender.close();
});

test("after a restart it goes on behind the last answer that reached the disk; numbers never start again", async () => {
  const first = make();
  first.sender.up();
  for (let n = 1; n <= 4; n++) await first.outbox.commit([], [event(n)]);
  first.sent[0]?.answer();
  first.sent[1]?.answer();
  await until(() => first.sender.answered === 2);
  await first.sender.close();
  await store.close();
  await open();
  const second = make();
  second.sender.up();
  await second.outbox.commit([], [event(5)]);
  expect(numbers(second.sent)).toEqual([3, 4, 5]);
  expect(second.sent[0]?.events).toEqual([event(3)]);
  await second.sender.close();
});

test("answered batches beyond keepEvents are pruned, unanswered ones and the youngest never", async () => {
  const { sent, sender, outbox } = make({ keepEvents: 2, window: 100 });
  sender.up();
  for (let n = 1; n <= 10; n++) await outbox.commit([], [event(n)]);
  const kept = () =>
    store
      .read<{ sequence: number }>("SELECT sequence FROM outbox ORDER BY sequence")
      .all()
      .map(({ sequence }) => sequence);
  for (const one of sent.slice(0, 5)) one.answer();
  await until(() => kept().length === 5);
  expect(kept()).toEqual([6, 7, 8, 9, 10]);
  for (const one of sent) one.answer();
  await until(() => kept().length === 2);
  expect(kept()).toEqual([9, 10]);
  await sender.close();
});

test("memory is bounded while the application-server is away: the rest comes from the disk", async () => {
  const { sent, sender, outbox } = make({ rememberedOctets: 100, window: 2 });
  for (let n = 1; n <= 50; n++) await outbox.commit([], [event(n)]);
  sender.up();
  for (let n = 0; n < 50; n++) {
    const next = await until(() => sent[n]);
    next.answer();
  }
  expect(sent.map(({ events }) => events[0]?.id)).toEqual(Array.from({ length: 50 }, (_, n) => `u${n + 1}`));
  await sender.close();
});

const final = () => Object.assign(new Error("malformed"), { code: "link/invalid-body", retry: "never" });
/** Plays an application-server that never takes events whose ids are in `bad`; gives the ids that it took, in order. */
async function serve(
  sent: readonly Sent[],
  bad: readonly string[],
  isOver: () => boolean,
  from = 0,
): Promise<string[]> {
  const taken: string[] = [];
  for (let n = from; !isOver(); ) {
    const next = sent[n];
    if (!next) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    n++;
    const ids = next.events.map(({ id }) => id);
    if (ids.some((id) => bad.includes(id))) next.refuse(final());
    else {
      taken.push(...ids);
      next.answer();
    }
  }
  return taken;
}
const quarantine = () =>
  store.read<{ sequence: number; event: string; code: string }>("SELECT sequence, event, code FROM quarantine").all();

test("an event that is refused for good is put aside, counted and kept; all others arrive once, in order", async () => {
  const { sent, quarantined, sender, outbox } = make();
  sender.up();
  await outbox.commit([], [1, 2, 3, 4, 5, 6, 7].map(event));
  await outbox.commit([], [event(8)]);
  await outbox.commit([], [event(9)]);
  const taken = await serve(sent, ["u3", "u6", "u8"], () => sender.waiting === 0);
  expect(taken.filter((id) => id !== "u9")).toEqual(["u1", "u2", "u4", "u5", "u7"]);
  expect(taken.filter((id) => id === "u9")).toHaveLength(1);
  expect(quarantined.toSorted()).toEqual(["u3", "u6", "u8"]);
  expect(quarantine().map(({ event, code }) => [JSON.parse(event).id, code])).toEqual(
    quarantined.map((id) => [id, "link/invalid-body"]),
  );
  await sender.close();
});

test("a refused batch goes on where it was after a lost link and after a restart: nothing is lost, what was answered does not come again", async () => {
  const first = make();
  first.sender.up();
  await first.outbox.commit([], [1, 2, 3, 4].map(event));
  first.sent[0]?.refuse(final());
  (await until(() => first.sent[1])).answer(); // u1, u2
  (await until(() => first.sent[2])).refuse(new Error("lost"));
  await until(() => first.sent[3]);
  expect(first.sent[3]?.events.map(({ id }) => id)).toEqual(["u3", "u4"]);
  await first.sender.close();
  await store.close();
  await open();
  const second = make();
  second.sender.up();
  expect(await serve(second.sent, ["u3"], () => second.sender.waiting === 0)).toEqual(["u4"]);
  expect(second.quarantined).toEqual(["u3"]);
  await second.sender.close();
});

test("a final refusal that blames no event (a closed store) puts nothing aside", async () => {
  const { sent, quarantined, sender, outbox } = make();
  sender.up();
  await outbox.commit([], [event(1)]);
  sent[0]?.refuse(Object.assign(new Error("closed"), { code: "store/closed", retry: "never" }));
  (await until(() => sent[1])).answer();
  await until(() => sender.answered === 1);
  expect(quarantined).toEqual([]);
  await sender.close();
});
