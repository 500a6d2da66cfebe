// Where an answer comes from: the cited pages, what else was read, and whom to ask.

import type { ReactNode } from "react";
import type { Answer, Citation, Contact, Hit, Standing } from "../api";
import { useLanguage, useText } from "../i18n";
import { age, day, dotted, path } from "../text/dates";
import { documentAddress, openable } from "../text/links";
import { type Open, opened } from "./Answer";

export function Sources({ citations, onOpen }: { citations: readonly Citation[]; onOpen: Open }) {
  const t = useText();
  if (!citations.length) return null;
  return (
    <section className="sources">
      <h3>{t.sources.title}</h3>
      <ol>
        {citations.map((citation) => (
          <li key={citation.marker}>
            <span className="number" aria-hidden="true">{citation.marker}</span>
            <div className="cited">
              <PageLink page={citation} onOpen={() => onOpen(citation, citations)} />
              <p className="quote">“{citation.quote}”</p>
              <Facts page={citation} />
              {openable(citation.url) && <p className="facts print-only">{citation.url}</p>}
              <Places label={t.sources.supersededBy} addresses={[citation.standing.superseded_by].filter(Boolean)} />
              <Places label={t.sources.also} addresses={citation.also} />
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function PageLink({ page, onOpen }: { page: Citation | Hit; onOpen: () => void }) {
  const t = useText();
  return (
    <a className="source" href={documentAddress(page)} onClick={(event) => opened(event, onOpen)}>
      <span className="title">{page.title || t.app.noTitle}</span>
      {page.section.length > 0 && <span className="section">{path(page.section)}</span>}
    </a>
  );
}

export function Facts({ page, extra = "" }: { page: Citation | Hit; extra?: string }) {
  const t = useText();
  const { language } = useLanguage();
  const date = day(page.updated_at, language);
  return (
    <p className="facts">
      {dotted(page.source, extra, page.page != null && t.sources.page(page.page), date && `${t.sources.updated(date)} (${age(page.updated_at, t)})`)}
      <Stands standing={page.standing} />
    </p>
  );
}

/** In a word, how a page stands that something comes from. */
export function Stands({ standing }: { standing: Standing | undefined }) {
  const t = useText();
  const word = standing?.superseded_by ? t.sources.superseded : standing?.archived ? t.sources.archived : "";
  return word ? <span className="badge warn">{word}</span> : null;
}

export function Places({ label, addresses }: { label: string; addresses: readonly string[] }) {
  if (!addresses.length) return null;
  return (
    <p className="facts places">
      {label} {addresses.map((address, at) => <span key={address}>{at > 0 && ", "}<Address address={address} /></span>)}
    </p>
  );
}

/** A link to an address, or to the document in Docent where it is a document's id. */
export function Address({ address, children }: { address: string; children?: ReactNode }) {
  const t = useText();
  const href = openable(address);
  if (!href) return <a href={documentAddress({ document_id: address })}>{children ?? address}</a>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children ?? address}<span className="unseen"> {t.app.newTab}</span>
    </a>
  );
}

export function AlsoRead({ answer, onOpen }: { answer: Answer; onOpen: Open }) {
  const t = useText();
  const cited = new Set(answer.citations.map((citation) => citation.document_id));
  const pages = byDocument(answer.passages.filter((passage) => !cited.has(passage.document_id)));
  if (!pages.length) return null;
  return (
    <details className="also">
      <summary>{t.sources.alsoRead(pages.length)}</summary>
      <PageList pages={pages} onOpen={onOpen} />
    </details>
  );
}

export function Nearest({ passages, onOpen }: { passages: readonly Hit[]; onOpen: Open }) {
  const t = useText();
  const pages = byDocument(passages);
  if (!pages.length) return null;
  return <section className="sources"><h3>{t.sources.nearest}</h3><PageList pages={pages} onOpen={onOpen} /></section>;
}

export function Contacts({ contacts }: { contacts: readonly Contact[] }) {
  const t = useText();
  if (!contacts.length) return null;
  return (
    <section className="sources">
      <h3>{t.sources.contacts}</h3>
      <ul className="pages">
        {contacts.map(({ name, why, url }, index) => (
          <li key={index}>
            {openable(url) ? <Address address={url}>{name}</Address> : <strong>{name}</strong>} <span className="soft">{why}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function PageList({ pages, onOpen }: { pages: readonly Hit[]; onOpen: Open }) {
  return (
    <ul className="pages">
      {pages.map((page) => (
        <li key={page.document_id}>
          <PageLink page={page} onOpen={() => onOpen(page, [])} /> <Stands standing={page.standing} />
        </li>
      ))}
    </ul>
  );
}

export function byDocument(passages: readonly Hit[]): Hit[] {
  const first = new Map<string, Hit>();
  for (const passage of passages) if (!first.has(passage.document_id)) first.set(passage.document_id, passage);
  return [...first.values()];
}
