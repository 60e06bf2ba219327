/** Commits claims as fast as it can and tells, on standard output, which ids were acknowledged. For kill.test.ts. */
import { openStore } from "../src/index.ts";

const file = process.argv[2] as string;
const store = await openStore({
  file,
  role: "network-server",
  migrations: [
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT; CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT; INSERT INTO counter VALUES (1, 0)",
  ],
  statements: {
    claim: "UPDATE counter SET value = ?1 WHERE id = 1 AND value < ?1",
    append: "INSERT INTO outbox VALUES (?, ?)",
  },
});
let next = Number(store.read("SELECT coalesce(max(id), 0) AS id FROM outbox").get()?.id) + 1;
process.stdout.write(`from ${next}\n`);
const octets = new Uint8Array(200).fill(7);
for (;;) {
  for (let i = 0; i < 50; i++) {
    const id = next++;
    void store
      .commit([
        { statement: "claim", rows: [[id]] },
        { statement: "append", rows: [[id, octets]] },
      ])
      .then(() => process.stdout.write(`${id}\n`));
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
