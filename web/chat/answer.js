// One question and what came of it: passages, draft, checked answer, sources.

import { el, unseen, addressLink, documentAddress, day, dotted, path, stands } from "./dom.js";

const LEGEND = "A dotted sentence was not found in any page. Do not rely on it.";

/** One turn of the conversation, filled in as events arrive. */
export class Turn {
  constructor(question) {
    this.heading = el("h2", { class: "question", tabindex: "-1" }, question);
    this.state = el("p", { class: "state" }, "Looking for pages …");
    this.reading = el("div", { class: "reading" });
    this.draft = el("p", { class: "prose" });
    this.body = el("div", { class: "body" });
    this.element = el("article", { class: "turn", "aria-busy": "true" }, this.heading, this.state, this.reading, this.body);
  }

  /** The passages, before the model has said anything. */
  passages(passages) {
    const pages = byDocument(passages);
    this.state.textContent = pages.length ? "Reading:" : "No page comes near this question.";
    this.reading.replaceChildren(pageList(pages));
    return pages.length;
  }

  /** A piece of the unchecked draft. */
  token(text) {
    if (!this.draft.isConnected) {
      const label = el("p", { class: "label" }, "Draft, not yet checked");
      this.body.append(el("div", { class: "draft" }, label, this.draft));
    }
    this.draft.append(text);
  }

  /** The checked answer takes the place of the draft. */
  answer(answer) {
    this.end();
    this.state.remove();
    this.reading.remove();
    const parts = [notice(answer), answer.sentences.length ? proseOf(answer) : null];
    if (answer.sentences.some((sentence) => !sentence.supported)) parts.push(el("p", { class: "legend" }, LEGEND));
    parts.push(notices(answer.notices));
    if (answer.status === "not_found") parts.push(nearest(answer.passages), contacts(answer.contacts));
    else parts.push(sources(answer.citations), alsoRead(answer));
    this.body.replaceChildren(...parts.filter(Boolean));
  }

  /** Stopped or failed: what there is stays, and says what it is. */
  fail(sentence, retry) {
    this.end();
    if (!this.reading.childElementCount) this.state.remove();
    const label = this.body.querySelector(".label");
    if (label) label.textContent = "Unfinished draft, not checked";
    this.body.append(el("div", { class: "notice trouble" }, el("p", {}, sentence), retry));
  }

  end() {
    this.element.removeAttribute("aria-busy");
  }
}

function notice(answer) {
  if (answer.status === "not_found") {
    return el("p", { class: "notice" }, answer.answer || "The documents do not say.");
  }
  if (answer.status === "extracts") {
    // The first line says why there are only extracts; they follow word for word.
    return el("p", { class: "notice" }, answer.answer.split("\n", 1)[0]);
  }
  return null;
}

function proseOf(answer) {
  if (answer.status === "not_found") return null;
  const citations = new Map(answer.citations.map((citation) => [citation.marker, citation]));
  const prose = el("div", { class: "prose checked" });
  let at = 0;
  for (const sentence of answer.sentences) {
    const found = answer.answer.indexOf(sentence.text, at);
    // Between sentences only the line breaks of the answer matter.
    const gap = found < 0 ? "" : answer.answer.slice(at, found);
    if (found >= 0) at = found + sentence.text.length;
    if (prose.childElementCount) prose.append(gap.includes("\n") ? "\n" : " ");
    prose.append(sentenceView(sentence, citations));
  }
  return prose;
}

function sentenceView(sentence, citations) {
  const markers = sentence.citations.map((number) => citations.get(number)).filter(Boolean).map(markerView);
  const view = el("span", { class: sentence.supported ? "sentence" : "sentence unsupported" }, sentence.text);
  if (!sentence.supported) view.append(unseen(" (not found in any page)"));
  return el("span", {}, view, ...markers);
}

/** The number that opens a citation. What it cites travels as a property, not as markup. */
function markerView(citation) {
  const marker = el("a", {
    class: "marker",
    href: documentAddress(citation),
    "aria-label": `Source ${citation.marker}: ${citation.title}`,
  }, String(citation.marker));
  marker.citation = citation;
  return marker;
}

function sources(citations) {
  if (!citations.length) return null;
  const items = citations.map((citation) => {
    const link = el("a", { class: "source", href: documentAddress(citation) },
      el("span", { class: "title" }, citation.title), sectionOf(citation.section));
    link.citation = citation;
    return el("li", {},
      el("span", { class: "number", "aria-hidden": "true" }, String(citation.marker)),
      el("div", { class: "cited" }, link,
        el("p", { class: "quote" }, `“${citation.quote}”`),
        el("p", { class: "facts" }, dotted(citation.source, citation.page && `page ${citation.page}`, updated(citation.updated_at), stands(citation.standing))),
        placesLine("Superseded by ", [citation.standing.superseded_by].filter(Boolean)),
        placesLine("Also at ", citation.also)));
  });
  return el("section", { class: "sources" }, el("h3", {}, "Sources"), el("ol", {}, ...items));
}

/** Other places of the same text. */
function placesLine(label, addresses) {
  if (!addresses.length) return null;
  const links = addresses.flatMap((address, at) => (at ? [", ", addressLink(address)] : [addressLink(address)]));
  return el("p", { class: "facts places" }, label, ...links);
}

function alsoRead(answer) {
  const cited = new Set(answer.citations.map((citation) => citation.document_id));
  const pages = byDocument(answer.passages.filter((passage) => !cited.has(passage.document_id)));
  if (!pages.length) return null;
  const count = pages.length === 1 ? "one more page" : `${pages.length} more pages`;
  return el("details", { class: "also" }, el("summary", {}, `Also read ${count}`), pageList(pages));
}

function nearest(passages) {
  const pages = byDocument(passages);
  if (!pages.length) return null;
  return el("section", { class: "sources" }, el("h3", {}, "The nearest pages"), pageList(pages));
}

/** What to know before leaning on the answer, each with the numbers of the sources it is about. */
function notices(told) {
  if (!told.length) return null;
  return el("ul", { class: "notices" }, ...told.map(({ text, citations }) =>
    el("li", {}, text, citations.length ? ` [${citations.join(", ")}]` : "")));
}

function contacts(people) {
  if (!people.length) return null;
  return el("section", { class: "sources" }, el("h3", {}, "Whom to ask"),
    el("ul", { class: "pages" }, ...people.map(({ name, why, url }) =>
      el("li", {}, name, ` ${why} `, url && url !== name ? addressLink(url) : ""))));
}

function byDocument(passages) {
  const first = new Map();
  for (const passage of passages) if (!first.has(passage.document_id)) first.set(passage.document_id, passage);
  return [...first.values()];
}

function pageList(passages) {
  return el("ul", { class: "pages" }, ...passages.map((passage) => {
    const link = el("a", { class: "source", href: documentAddress(passage) },
      el("span", { class: "title" }, passage.title), sectionOf(passage.section));
    link.citation = passage;
    const word = stands(passage.standing);
    return el("li", {}, link, word ? el("span", { class: "stands" }, word) : null);
  }));
}

const updated = (moment) => day(moment) && `updated ${day(moment)}`;

const sectionOf = (section) => (section.length ? el("span", { class: "section" }, path(section)) : null);
