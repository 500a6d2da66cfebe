// A block of a document cut into lines, cells and marked stretches. Offsets count code points, as
// the server does, not the units of JavaScript's strings.

import type { Block } from "../api";

export interface Quote {
  start: number;
  end: number;
}

/** A stretch of text, marked where it belongs to the quote. */
export interface Piece {
  text: string;
  marked: boolean;
}

type Range = readonly [number, number];

export class Cut {
  private readonly points: string[];
  private readonly from: number;
  private readonly to: number;
  readonly length: number;

  constructor(block: Block, quote: Quote | null) {
    this.points = Array.from(block.text);
    this.length = this.points.length;
    this.from = quote ? Math.max(0, quote.start - block.start) : 0;
    this.to = quote ? Math.min(this.length, quote.end - block.start) : 0;
  }

  slice(from: number, to: number): string {
    return this.points.slice(from, to).join("");
  }

  /** A stretch in up to three pieces: before the quote, of it, behind it. */
  pieces(from = 0, to = this.length): Piece[] {
    const a = Math.min(Math.max(this.from, from), to);
    const b = Math.min(Math.max(this.to, a), to);
    if (a === b || !this.slice(a, b).trim()) return [{ text: this.slice(from, to), marked: false }];
    return [
      { text: this.slice(from, a), marked: false },
      { text: this.slice(a, b), marked: true },
      { text: this.slice(b, to), marked: false },
    ].filter((piece) => piece.text);
  }

  lines(): Range[] {
    return this.split(0, this.length, (at) => this.points[at] === "\n").filter(([from, to]) => this.slice(from, to).trim());
  }

  /** A row is `a | b | c`, its ends stripped: `| b` has an empty first cell. A bar in a word is text. */
  cells(from: number, to: number): Range[] {
    const space = (at: number) => at < from || at >= to || this.points[at] === " ";
    const bar = (at: number) => this.points[at] === "|" && space(at - 1) && space(at + 1);
    return this.split(from, to, bar).map(([a, b]) => this.trimmed(a, b));
  }

  private trimmed(from: number, to: number): Range {
    let [a, b] = [from, to];
    while (a < b && this.points[a] === " ") a += 1;
    while (b > a && this.points[b - 1] === " ") b -= 1;
    return [a, b];
  }

  private split(from: number, to: number, separates: (at: number) => boolean): Range[] {
    const found: Range[] = [];
    let begin = from;
    for (let at = from; at <= to; at += 1) {
      if (at === to || separates(at)) {
        found.push([begin, at]);
        begin = at + 1;
      }
    }
    return found;
  }
}

export interface Item {
  kind: "numbered" | "bulleted" | "continued";
  depth: number;
  marker: string;
  from: number;
  to: number;
}

/** One line an item, two spaces a level, then its marker; a continuation of the item above has none. */
export function items(cut: Cut): Item[] {
  return cut.lines().map(([from, to]) => {
    const [lead, indent = "", marker = ""] = /^( *)([-*+•]|[0-9a-z]+[.)])? */i.exec(cut.slice(from, to))!;
    const kind = !marker ? "continued" : "-*+•".includes(marker) ? "bulleted" : "numbered";
    return { kind, depth: Math.min(4, indent.length >> 1), marker, from: from + lead.length, to };
  });
}

export const touches = (block: Block, quote: Quote | null) =>
  quote !== null && block.start < quote.end && block.end > quote.start;

/** The text of the quote as the document has it now; empty when it is no longer there. */
export function quoted(blocks: readonly Block[], quote: Quote | null): string {
  if (!quote) return "";
  return blocks
    .filter((block) => touches(block, quote))
    .map((block) => new Cut(block, quote).pieces().filter((piece) => piece.marked).map((piece) => piece.text).join(""))
    .join("\n");
}
