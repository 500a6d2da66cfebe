import { useQueryClient } from "@tanstack/react-query";
import { api, type Contact } from "../api";
import { Address, Contacts } from "../ask/Sources";
import { useLanguage, useText } from "../i18n";
import { Trouble } from "../parts/Notice";
import { openable } from "../text/links";
import { day } from "../text/dates";
import type { GapGroup } from "./data";
import { Fetched, Nothing } from "./MaintainPage";
import { useAttempt } from "./useAttempt";

/** Questions without an answer, put together, with the pages that came nearest and their owners. */
export function GapsTab() {
  const t = useText();
  const queries = useQueryClient();
  const { attempt, trouble } = useAttempt(() => void queries.invalidateQueries({ queryKey: ["admin"] }));
  return (
    <Fetched<{ groups: GapGroup[] }> what="gaps?days=90">
      {({ groups }) => (
        <>
          {trouble && <Trouble>{trouble}</Trouble>}
          {!groups.length && <Nothing>{t.maintain.noneGaps}</Nothing>}
          {groups.map((group) => (
            <article className="item" key={group.questions[0]?.id ?? group.question}>
              <Group group={group} />
              <div className="actions">
                {(["done", "dismissed"] as const).map((to) => (
                  <button key={to} type="button" className="quiet" onClick={() => attempt(() => api.admin.settleGaps(group.questions.map((it) => it.id), to))}>{t.maintain.states[to]}</button>
                ))}
              </div>
            </article>
          ))}
        </>
      )}
    </Fetched>
  );
}

function Group({ group }: { group: GapGroup }) {
  const t = useText();
  const { language } = useLanguage();
  return (
    <>
      <h3>{group.question}</h3>
      {group.count > 1 ? (
        <details>
          <summary className="facts">{t.maintain.asked(group.count)}</summary>
          <ul className="pages">{group.questions.map((it) => <li key={it.id}>{it.question} <span className="soft">{day(it.at, language)}</span></li>)}</ul>
        </details>
      ) : <p className="facts">{t.maintain.asked(group.count)}, {day(group.questions[0]?.at, language)}</p>}
      <PagesAndOwners title={t.maintain.nearest} pages={group.pages} contacts={group.contacts} />
    </>
  );
}

interface Props {
  title: string;
  pages: readonly { document_id: string; title: string; url: string; source: string }[];
  contacts: readonly Contact[];
}

export function PagesAndOwners({ title, pages, contacts }: Props) {
  const t = useText();
  return (
    <>
      {pages.length > 0 && (
        <section className="sources">
          <h3>{title}</h3>
          <ul className="pages">
            {pages.map((page) => (
              <li key={page.document_id}>
                <a href={`/documents/${encodeURIComponent(page.document_id)}`}>{page.title || t.app.noTitle}</a> <span className="soft">{page.source}</span>{" "}
                {openable(page.url) && <Address address={page.url}>{t.panel.original}</Address>}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Contacts contacts={contacts} />
    </>
  );
}
