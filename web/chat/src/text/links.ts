// Addresses: which may be opened, and how to lead to the very place in the original.

/** The address if it is one that may be opened, else null: http and https only. */
export function openable(url: string): string | null {
  try {
    const parsed = new URL(url);
    return parsed.protocol === "http:" || parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null;
  }
}

interface Place {
  url: string;
  quote?: string;
  page?: number | null;
  anchor?: string;
  format?: string;
}

const WEB_PAGES = new Set(["", "html", "htm", "xhtml", "twiki", "wiki", "markdown", "md", "discourse", "mkdocs", "rst"]);

/** The address of the very place in the original: a page of a PDF, a line of a file, a comment of
 * an issue, the words themselves (a text fragment) of a web page. Null when nothing is to open. */
export function placeOf({ url, quote = "", page = null, anchor = "", format = "" }: Place): string | null {
  const href = openable(url);
  if (!href) return null;
  const address = new URL(href);
  const pdf = format === "pdf" || address.pathname.toLowerCase().endsWith(".pdf");
  if (pdf) {
    if (page !== null) address.hash = `page=${page}`;
    return address.href;
  }
  // Where the source gave a fragment already (a comment, a line), nothing is nearer.
  if (address.hash) return address.href;
  // A forum's posts have addresses of their own below that of the topic.
  if (anchor.startsWith("/")) return openable(address.href.replace(/\/$/, "") + anchor) ?? href;
  const words = WEB_PAGES.has(format) ? textFragment(quote) : "";
  if (!anchor && !words) return address.href;
  return `${address.href}#${encodeURIComponent(anchor)}${words && `:~:${words}`}`;
}

const LONGEST = 8;

/** `text=…` for a quote, by its first and last words where it is long; empty for none. */
export function textFragment(quote: string): string {
  // One line of it: a fragment does not match over the edges of paragraphs and cells.
  const line = quote.split("\n").map((it) => it.trim()).find((it) => it.length > 3) ?? "";
  const words = line.replace(/^(?:[-*+•]|\d+[.)])\s+/, "").split(/\s+/).filter(Boolean);
  if (!words.length) return "";
  if (words.length <= LONGEST) return `text=${escaped(words.join(" "))}`;
  return `text=${escaped(words.slice(0, 4).join(" "))},${escaped(words.slice(-4).join(" "))}`;
}

// A dash and a comma mean something inside a text fragment.
const escaped = (text: string) => encodeURIComponent(text).replaceAll("-", "%2D");

/** The address of a document in Docent, with a quote highlighted when one is given. */
export function documentAddress(it: { document_id: string; start?: number; end?: number }): string {
  const path = `/documents/${encodeURIComponent(it.document_id)}`;
  return it.start === undefined || it.end === undefined ? path : `${path}?start=${it.start}&end=${it.end}`;
}
