import { stripVTControlCharacters as plain } from "node:util";
import { expect, test } from "vitest";
import { progressLine, progressOn } from "./progress.ts";
import { notesOf, reportText } from "./report.ts";

const failed = (line: number, code = "import/key", message = "app_key: expected 32 hex digits") => ({
  ...{ row: line - 1, line, devEui: "0011223344556677", code, message },
});

test("a report says how many, why, and which rows", () => {
  const notes = notesOf(new Map([["join-nonce-unknown", 1]]));
  const text = plain(
    reportText(
      { rows: 4, imported: 1, failed: [failed(3), failed(4), failed(5, "device/exists", "it exists")], notes },
      { width: 60 },
    ),
  );
  expect(text).toBe(
    [
      "! 1 of 4 devices imported.",
      "  1 device came without their last JoinNonce: it starts at 65,536.",
      "",
      "3 rows failed:",
      "",
      "        2  import/key  app_key: expected 32 hex digits",
      "        1  device/exists  it exists",
      "",
      "  line  DevEUI            why",
      "     3  0011223344556677  app_key: expected 32 hex digits",
      "     4  0011223344556677  app_key: expected 32 hex digits",
      "     5  0011223344556677  it exists",
      "",
      "--report FILE writes all of them, one JSON line each.",
    ].join("\n"),
  );
});

test("a report shows the first twenty failures, cut to the terminal's width, and where all are", () => {
  const many = Array.from({ length: 1_000 }, (_, i) => failed(i + 2, "import/keys-elsewhere", "x".repeat(300)));
  const lines = plain(
    reportText({ rows: 1_000, imported: 0, failed: many, notes: [] }, { width: 80, reportFile: "r" }),
  ).split("\n");
  expect(lines.filter((line) => line.endsWith("…")).map((line) => line.length)).toEqual(Array(20).fill(80));
  expect(lines.slice(-3)).toEqual(["  … and 980 rows more.", "", "All of them are in r."]);
});

test("the progress line fits the terminal, and tells the time that is left once it can", () => {
  expect(progressLine(0.5, 1_500, 0, 1_000, 60)).toMatch(/^ {2}█+░+ {2}50 % {2}1,500 rows$/);
  expect(progressLine(0.25, 1_500, 12, 60_000, 80)).toContain("25 %  1,500 rows, 12 failed  03:00 left");
  for (const width of [1, 10, 40, 80, 200])
    expect(progressLine(1, 100_000, 9, 60_000, width).length).toBeLessThan(width);
});

test("progress is drawn on a terminal, wiped in the end, and never elsewhere", () => {
  for (const isTTY of [true, false]) {
    let drawn = "";
    const progress = progressOn({ isTTY, columns: 60, write: (text) => (drawn += text) }, () => 0);
    progress.show(0.1, 10, 0);
    progress.end();
    expect([drawn.includes("10 %"), drawn.endsWith("\r\u001b[K")]).toEqual([isTTY, isTTY]);
  }
});
