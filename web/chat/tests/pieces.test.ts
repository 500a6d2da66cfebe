import { expect, test } from "vitest";
import type { Block } from "../src/api";
import { yearsAgo } from "../src/ask/Scope";
import { operations, resolved } from "../src/docs/openapi";
import { grouped } from "../src/history/Sidebar";
import { Cut, items, quoted } from "../src/panel/blocks";
import { addressOf, asked, inYear, yearOf } from "../src/search/address";
import { excerpt } from "../src/search/excerpt";

const block = (text: string, start = 0, kind: Block["kind"] = "prose"): Block => ({
  kind, text, start, end: start + Array.from(text).length, headings: [], anchor: "", page: null, header_end: null,
});

test("offsets count code points", () => {
  const cut = new Cut(block("🧲🧲 fires", 10), { start: 13, end: 15 });
  expect(cut.pieces()).toEqual([
    { text: "🧲🧲 ", marked: false }, { text: "fi", marked: true }, { text: "res", marked: false },
  ]);
});

test("a quote over two blocks is marked in both", () => {
  const blocks = [block("one two", 0), block("three", 9)];
  expect(quoted(blocks, { start: 4, end: 12 })).toBe("two\nthr");
  expect(quoted(blocks, null)).toBe("");
});

test("a row is cut at bars between spaces, an empty cell stays", () => {
  const cut = new Cut(block("a | b\n| a|b | 3 |"), null);
  const rows = cut.lines().map(([from, to]) => cut.cells(from, to).map(([a, b]) => cut.slice(a, b)));
  expect(rows).toEqual([["a", "b"], ["", "a|b", "3", ""]]);
});

test("list lines have a depth and a marker, or go on the item above", () => {
  const cut = new Cut(block("1. one\n  - two\n  more", 0, "list"), null);
  expect(items(cut).map(({ kind, depth, marker, from, to }) => [kind, depth, marker, cut.slice(from, to)])).toEqual([
    ["numbered", 0, "1.", "one"], ["bulleted", 1, "-", "two"], ["continued", 1, "", "more"],
  ]);
});

test("a search is an address and back", () => {
  const filter = { sources: ["a b", "c&d"], formats: ["pdf"], since: "2025-01-01", until: "2025-12-31" };
  const address = addressOf("x & y?", filter);
  expect(asked(address.split("?").slice(1).join("?"))).toEqual({ query: "x & y?", filter });
  expect(asked("q=a&since=yesterday")).toEqual({ query: "a", filter: {} });
  expect(yearOf(inYear("2025"))).toBe("2025");
  expect(yearOf({ since: "2025-01-02", until: "2025-12-31" })).toBe("");
  expect(inYear("")).toEqual({ since: null, until: null });
});

test("an excerpt shows where the words are, and marks them", () => {
  const text = `${"start ".repeat(40)}the Trigger fires ${"end ".repeat(60)}`;
  const pieces = excerpt(text, new Set(["trigger"]), 100);
  expect(pieces[0]!.text).toBe("… ");
  expect(pieces.filter((it) => it.marked)).toEqual([{ text: "Trigger", marked: true }]);
  expect(pieces.map((it) => it.text).join("").length).toBeLessThan(110);
  expect(excerpt("short", new Set())).toEqual([{ text: "short", marked: false }]);
});

test("conversations are grouped by day", () => {
  const line = (id: string, updated_at: string) => ({ id, title: id, created_at: "", updated_at });
  const now = new Date(2026, 4, 20, 12);
  const at = (days: number) => new Date(2026, 4, 20 - days, 9).toISOString();
  expect(grouped([line("a", at(0)), line("b", at(3)), line("c", at(30))], { today: "T", week: "W", earlier: "E" }, now)
    .map(([title, them]) => [title, them.map((it) => it.id)])).toEqual([["T", ["a"]], ["W", ["b"]], ["E", ["c"]]]);
});

test("so many years ago is a day", () => {
  expect(yearsAgo(3, new Date("2026-11-22T23:00:00Z"))).toBe("2023-11-22");
});

test("a description is written out, also one that holds itself", () => {
  const schemas = { A: { title: "A", properties: { a: { $ref: "#/components/schemas/A" } } } };
  const description = {
    paths: { "/x": { post: { description: "Does.", requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/A" } } } },
      responses: { 200: { content: { "application/json": { schema: {} } } }, 422: { description: "Unprocessable" } } } } },
    components: { schemas },
  };
  const [it] = operations(description);
  expect(it).toMatchObject({ method: "post", errors: ["422 Unprocessable"] });
  expect(resolved(it!.takes, description)).toEqual({ properties: { a: "A" } });
});
