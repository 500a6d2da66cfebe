// A document as it was read, with one quote highlighted.

import { el, unseen, originalLink, documentAddress, day, dotted, path } from "./dom.js";

/** Everything of a document view but its frame. `quote` is {start, end} or null. */
export function documentView(doc, quote, { alone = false } = {}) {
  const touched = (block) => quote && block.start < quote.end && block.end > quote.start;
  const cited = doc.blocks.find(touched);
  // Most documents begin with their title, which stands above already.
  const [first] = doc.blocks;
  const repeats = first?.kind === "heading" && first.text === doc.title && !touched(first);
  const blocks = doc.blocks.slice(repeats ? 1 : 0).map((block) => blockView(block, quote));
  return [
    el("header", { class: "about" },
      cited?.headings.length ? el("p", { class: "where" }, path(cited.headings)) : null,
      el("h2", { id: "panel-title", tabindex: "-1" }, doc.title || doc.document_id),
      el("p", { class: "facts" }, dotted(doc.source, day(doc.updated_at), doc.author, cited?.page && `page ${cited.page}`)),
      el("p", { class: "links" },
        originalLink(doc.url, "Open the original"),
        alone ? null : el("a", { href: documentAddress({ document_id: doc.document_id, ...quote }) }, "Link to this place")),
      quote && !cited ? el("p", { class: "notice" }, "The quoted text is no longer in this document; it has changed since.") : null),
    el("div", { class: "text" }, ...blocks),
  ];
}

/** Bring the highlight into view, where there is one. */
export function showQuote(container) {
  const mark = container.querySelector("mark");
  if (!mark) return;
  mark.prepend(unseen("Quoted: "));
  mark.scrollIntoView({ block: "center" });
}

function blockView(block, quote) {
  const text = new Marked(block, quote);
  switch (block.kind) {
    case "heading": {
      const level = Math.min(6, 2 + Math.max(1, block.headings.length));
      return el(`h${level}`, { class: "block" }, ...text.nodes());
    }
    case "list": return listView(text);
    case "table": return tableView(text, block.header_end);
    case "code": return el("pre", { class: "block", tabindex: "0" }, el("code", {}, ...text.nodes()));
    default: return el("p", { class: "block" }, ...text.nodes());
  }
}

// One line an item, two spaces a level, then its marker; a continuation of the item above has none.
function listView(text) {
  const items = text.lines().map(([from, to]) => {
    const [lead, indent, marker] = /^( *)([-*+•]|[0-9a-z]+[.)])? */i.exec(text.slice(from, to));
    const numbered = marker && !"-*+•".includes(marker);
    const kind = numbered ? "numbered" : marker ? "bulleted" : "continued";
    return el("li", { class: `${kind} depth-${Math.min(4, indent.length >> 1)}` },
      numbered ? el("span", { class: "number" }, marker, " ") : null,
      ...text.nodes(from + lead.length, to));
  });
  return el("ul", { class: "block" }, ...items);
}

function tableView(text, headerEnd) {
  const head = el("thead");
  const body = el("tbody");
  for (const [from, to] of text.lines()) {
    const heading = headerEnd !== null && to <= headerEnd - text.start;
    const cells = text.cells(from, to).map(([a, b]) => el(heading ? "th" : "td", { scope: heading && "col" }, ...text.nodes(a, b)));
    (heading ? head : body).append(el("tr", {}, ...cells));
  }
  const table = el("table", {}, head.childElementCount ? head : null, body);
  // Wide tables scroll inside their frame; the keyboard reaches the frame.
  return el("div", { class: "block wide", tabindex: "0", role: "region", "aria-label": "Table" }, table);
}

/** A block's text, cut at the quote. Offsets count code points, as the server does, not UTF-16 units. */
class Marked {
  constructor(block, quote) {
    this.points = Array.from(block.text);
    this.start = block.start;
    this.from = quote ? Math.max(0, quote.start - block.start) : 0;
    this.to = quote ? Math.min(this.points.length, quote.end - block.start) : 0;
  }

  slice(from, to) {
    return this.points.slice(from, to).join("");
  }

  /** Text nodes and marks for a stretch of the block. */
  nodes(from = 0, to = this.points.length) {
    const a = Math.min(Math.max(this.from, from), to);
    const b = Math.min(Math.max(this.to, a), to);
    if (a === b || !this.slice(a, b).trim()) return [this.slice(from, to)];
    const mark = el("mark", {}, this.slice(a, b));
    return [this.slice(from, a), mark, this.slice(b, to)];
  }

  lines() {
    return this.pieces(0, this.points.length, (at) => this.points[at] === "\n")
      .filter(([from, to]) => this.slice(from, to).trim());
  }

  // A row is `a | b | c`, its ends stripped: `| b` has an empty first cell. A bar inside a word is text.
  cells(from, to) {
    const space = (at) => at < from || at >= to || this.points[at] === " ";
    const bar = (at) => this.points[at] === "|" && space(at - 1) && space(at + 1);
    return this.pieces(from, to, bar).map(([a, b]) => this.trimmed(a, b));
  }

  trimmed(from, to) {
    while (from < to && this.points[from] === " ") from += 1;
    while (from < to && this.points[to - 1] === " ") to -= 1;
    return [from, to];
  }

  pieces(from, to, separates) {
    const pieces = [];
    let begin = from;
    for (let at = from; at <= to; at += 1) {
      if (at === to || separates(at)) {
        pieces.push([begin, at]);
        begin = at + 1;
      }
    }
    return pieces;
  }
}
