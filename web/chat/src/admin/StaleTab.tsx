import { useLanguage, useText } from "../i18n";
import { day } from "../text/dates";
import type { Stale } from "./data";
import { PagesAndOwners } from "./GapsTab";
import { Fetched, Nothing } from "./MaintainPage";

/** Old and contradicting pages that answers rest on. */
export function StaleTab() {
  const t = useText();
  const { language } = useLanguage();
  return (
    <Fetched<{ stale: Stale[] }> what="stale?days=90">
      {({ stale }) => (
        <>
          {!stale.length && <Nothing>{t.maintain.none}</Nothing>}
          {stale.map((it) => (
            <article className="item" key={it.kind + it.pages.map((page) => page.document_id).join()}>
              <h3>{it.pages.map((page) => page.title).join(" – ")}</h3>
              <p className="facts"><span className="badge warn">{t.notice[it.kind]}</span> {t.maintain.warned(it.count)} · {t.maintain.updated} {it.pages.map((page) => day(page.updated_at, language)).join(", ")}</p>
              <PagesAndOwners title={t.maintain.pages} pages={it.pages} contacts={it.contacts} />
            </article>
          ))}
        </>
      )}
    </Fetched>
  );
}
