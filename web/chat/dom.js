// Building the page out of text. Nothing that comes from a document is ever parsed as markup:
// strings become text nodes, addresses must be http or https.

/** An element with attributes (`class`, `href`, …; null and false leave one out) and children. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Text for screen readers only. */
export const unseen = (text) => el("span", { class: "unseen" }, text);

/** The address if it is one that may be opened, else null. */
export function openable(url) {
  try {
    const parsed = new URL(url);
    return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

/** A link to the page where a document came from, or null when there is none to open. */
export function originalLink(url, text) {
  const href = openable(url);
  return href && el("a", { href, rel: "noopener noreferrer", target: "_blank" }, text, unseen(" (new tab)"));
}

/** A link to an address, or to the document in Docent where it is a document's id. */
export function addressLink(address) {
  return originalLink(address, address) ?? el("a", { href: documentAddress({ document_id: address }) }, address);
}

/** In a word, how the page stands that something comes from; empty when nothing was said. */
export const stands = ({ archived, superseded_by }) => (superseded_by ? "superseded" : archived ? "archived" : "");

/** The address of a document in Docent, with a quote highlighted when one is given. */
export function documentAddress({ document_id, start, end }) {
  const path = `/documents/${encodeURIComponent(document_id)}`;
  return start === undefined ? path : `${path}?start=${start}&end=${end}`;
}

/** A date as people write it, without the time of day; empty when unknown. */
export function day(moment) {
  const date = new Date(moment ?? NaN);
  if (Number.isNaN(date.valueOf())) return "";
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

/** The parts that are there, one after another with a dot between them. */
export const dotted = (...parts) => parts.filter(Boolean).join(" · ");

export const path = (section) => section.join(" › ");
