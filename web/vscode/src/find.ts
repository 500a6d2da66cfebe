// Where a quote stands in a file. The server's text of a page has no markup, a file has; so words are
// compared, and what stands between them is not.

/** Zero-based lines and columns, as editors count. */
export interface Found {
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

interface Word {
  text: string;
  at: number;
  end: number;
}

const LEAST = 3;
const ENOUGH = 0.8;
/** Of a quote's words, so many must stand together, in a file that marks up what it says. */
const MOST_WORDS = 400_000;

/** Where `quote` begins and ends in `text`; null where it does not stand there. */
export function find(text: string, quote: string): Found | null {
  const wanted = words(quote);
  if (!wanted.length) return null;
  const given = words(text).slice(0, MOST_WORDS);
  const span = together(given, wanted) ?? nearly(given, wanted);
  return span && placed(text, span[0].at, span[1].end);
}

/** The line of a heading, zero-based; null where there is none. */
export function heading(text: string, wanted: string): number | null {
  const bare = (line: string) => words(line).map((word) => word.text).join(" ");
  const sought = bare(wanted);
  if (!sought) return null;
  const at = text.split(/\r?\n/).findIndex((line) => bare(line) === sought);
  return at < 0 ? null : at;
}

function words(text: string): Word[] {
  return [...text.matchAll(/[\p{L}\p{N}]+/gu)].map((found) => ({
    text: found[0].normalize("NFKC").toLowerCase(), at: found.index, end: found.index + found[0].length,
  }));
}

function together(given: readonly Word[], wanted: readonly Word[]): [Word, Word] | null {
  for (let at = 0; at + wanted.length <= given.length; at += 1) {
    if (wanted.every((word, index) => given[at + index]!.text === word.text)) {
      return [given[at]!, given[at + wanted.length - 1]!];
    }
  }
  return null;
}

// A link or a footnote puts words of its own between those of the quote: the stretch of a file that
// has most of them, in their order, where it has nearly all.
function nearly(given: readonly Word[], wanted: readonly Word[]): [Word, Word] | null {
  if (wanted.length < LEAST) return null;
  const most = wanted.length * 2 + 8;
  let best: { count: number; first: number; last: number } | null = null;
  for (let at = 0; at < given.length; at += 1) {
    if (given[at]!.text !== wanted[0]!.text && given[at]!.text !== wanted[1]!.text) continue;
    const run = inOrder(given, wanted, at, Math.min(given.length, at + most));
    const better = run.count - (best?.count ?? 0) || (best ? best.last - best.first - (run.last - at) : 0);
    if (!best || better > 0) best = { ...run, first: at };
  }
  if (!best || best.count < Math.max(LEAST, ENOUGH * wanted.length)) return null;
  return [given[best.first]!, given[best.last]!];
}

function inOrder(given: readonly Word[], wanted: readonly Word[], from: number, to: number): { count: number; last: number } {
  let count = 0;
  let next = 0;
  let last = from;
  for (let at = from; at < to && next < wanted.length; at += 1) {
    // One word of the quote may be missing here; never more at once.
    const hit = [next, next + 1].find((index) => wanted[index]?.text === given[at]!.text);
    if (hit === undefined) continue;
    count += 1;
    next = hit + 1;
    last = at;
  }
  return { count, last };
}

function placed(text: string, from: number, to: number): Found {
  const [line, column] = lineOf(text, from);
  const [endLine, endColumn] = lineOf(text, to);
  return { line, column, endLine, endColumn };
}

function lineOf(text: string, at: number): [number, number] {
  const before = text.slice(0, at);
  const line = before.split("\n").length - 1;
  return [line, at - (before.lastIndexOf("\n") + 1)];
}
