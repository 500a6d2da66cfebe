import { expect, test } from "vitest";
import { goldOf } from "../src/admin/CandidatesTab";
import { days } from "../src/admin/data";
import { roof } from "../src/admin/Plot";

const hour = (at: string, name: string, count: number, p50_ms: number | null = null, p95_ms: number | null = null) => ({ hour: at, name, count, p50_ms, p95_ms });

test("hours become days, those without any among them", () => {
  const all = days([
    hour("2026-05-01T10:00:00Z", "ask.answered", 3),
    hour("2026-05-01T11:00:00Z", "ask.not_found", 1),
    hour("2026-05-01T10:00:00Z", "ask.first_token_ms", 3, 1000, 4000),
    hour("2026-05-01T11:00:00Z", "ask.first_token_ms", 1, 3000, 6000),
    hour("2026-05-03T09:00:00Z", "search.total_ms", 5, 20, 90),
  ]);
  expect(all.map(({ day, asks, notFound, searches }) => [day, asks, notFound, searches])).toEqual([
    ["2026-05-01", 4, 1, 0], ["2026-05-02", 0, 0, 0], ["2026-05-03", 0, 0, 5],
  ]);
  // (3 × 1 s + 1 × 3 s) / 4, and the worst of the slow ends.
  expect(all[0]!.firstToken).toEqual([1.5, 6]);
  expect(all[1]!.firstToken).toBeNull();
  expect(days([])).toEqual([]);
});

test("an axis ends at a round number", () => {
  expect([0, 1, 3, 17, 51, 101].map(roof)).toEqual([1, 1, 5, 20, 100, 200]);
});

test("a question of the test set is typed a line each", () => {
  expect(goldOf(" Who? ", "wiki:A\n\nwiki:B", "It is Ines = Ines | Okafor\nOn Tuesday", "")).toEqual({
    question: "Who?",
    documents: ["wiki:A", "wiki:B"],
    facts: [{ text: "It is Ines", keys: ["Ines", "Okafor"] }, { text: "On Tuesday", keys: ["On Tuesday"] }],
    answer: "",
  });
});
