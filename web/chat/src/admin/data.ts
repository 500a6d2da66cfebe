// What the maintainers' routes give, and how numbers of hours become those of days.

import type { Answer, Contact, NoticeKind, Standing } from "../api";

export interface SourceLine {
  name: string;
  kind: string;
  condition: "well" | "failing" | "trouble" | "never" | "dropped";
  keeper: string;
  documents: number;
  chunks: number;
  last_run: string | null;
  last_success: string | null;
  next_try: string | null;
  new: number;
  changed: number;
  unchanged: number;
  removed: number;
  seconds: number;
  kept_back: number;
  trouble: string;
  failed: number;
  failures: { page_id: string; reason: string; at: string; attempts: number; next_try: string | null }[];
}

export interface Run {
  id: string;
  source: string;
  by: string;
  started_at: string;
  finished_at: string | null;
  state: "running" | "well" | "trouble" | "failed";
  progress: string;
  message: string;
  generation: number | null;
  new: number;
  changed: number;
  unchanged: number;
  removed: number;
  failed: number;
}

export interface Night {
  started: string;
  outcome: string;
  why: string;
  served: number | null;
  newest: number | null;
  seconds: number;
}

export interface Runs {
  running: Run | null;
  runs: Run[];
  nights: Night[];
}

export interface Generation {
  number: number;
  created_at: string;
  published_at: string | null;
  serving: boolean;
  newest: boolean;
  documents: number;
}

export interface Hour {
  hour: string;
  name: string;
  count: number;
  p50_ms: number | null;
  p95_ms: number | null;
}

export type ReviewState = "new" | "seen" | "done" | "dismissed";

export interface Review {
  id: string;
  question: string;
  answer: Answer | null;
  helpful: boolean | null;
  wrong_sentences: number[];
  text: string;
  right_page: string;
  state: ReviewState;
  verdict: "open" | "accepted" | "rejected";
  created_at: string;
  updated_at: string;
}

export interface Candidate extends Review {
  draft: { question: string; documents: string[]; answer: string };
}

export interface NearPage {
  document_id: string;
  title: string;
  url: string;
  source: string;
  count: number;
}

export interface GapGroup {
  question: string;
  count: number;
  questions: { id: string; question: string; at: string; score: number | null }[];
  pages: NearPage[];
  contacts: Contact[];
}

export interface Stale {
  kind: NoticeKind;
  count: number;
  pages: { document_id: string; title: string; url: string; source: string; updated_at: string | null; standing: Standing }[];
  contacts: Contact[];
}

export interface Day {
  day: string;
  asks: number;
  notFound: number;
  searches: number;
  firstToken: readonly [number, number] | null;
  total: readonly [number, number] | null;
}

/** Hours put together into days, every day from the first to the last. */
export function days(hours: readonly Hour[]): Day[] {
  const all = hours.map((it) => it.hour.slice(0, 10)).sort();
  const found: Day[] = [];
  for (const day of between(all[0], all.at(-1))) {
    const those = hours.filter((it) => it.hour.startsWith(day));
    const count = (...names: string[]) => sum(those.filter((it) => names.includes(it.name)).map((it) => it.count));
    found.push({
      day,
      asks: count("ask.answered", "ask.not_found", "ask.extracts", "ask.stopped", "ask.failed"),
      notFound: count("ask.not_found"),
      searches: count("search.total_ms"),
      firstToken: spread(those, "ask.first_token_ms"),
      total: spread(those, "ask.total_ms"),
    });
  }
  return found;
}

function between(first: string | undefined, last: string | undefined): string[] {
  const found: string[] = [];
  if (!first || !last) return found;
  for (let at = new Date(`${first}T00:00:00Z`); at <= new Date(`${last}T00:00:00Z`); at = new Date(at.valueOf() + 86_400_000)) {
    found.push(at.toISOString().slice(0, 10));
  }
  return found;
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

// Medians of hours cannot be put together exactly: weighted by how many there were, in seconds; of
// the slow end the worst hour.
function spread(hours: readonly Hour[], name: string): readonly [number, number] | null {
  const those = hours.filter((it) => it.name === name && it.p50_ms !== null && it.count > 0);
  if (!those.length) return null;
  const middle = sum(those.map((it) => it.p50_ms! * it.count)) / sum(those.map((it) => it.count));
  return [middle / 1000, Math.max(...those.map((it) => it.p95_ms ?? 0)) / 1000];
}
