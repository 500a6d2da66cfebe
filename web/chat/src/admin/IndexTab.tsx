import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api";
import { useLanguage, useText } from "../i18n";
import { Confirm } from "../parts/Dialog";
import { Trouble } from "../parts/Notice";
import { time } from "../text/dates";
import type { Generation } from "./data";
import { Fetched } from "./MaintainPage";
import { useAttempt } from "./useAttempt";

export function IndexTab() {
  const t = useText();
  const { language } = useLanguage();
  const queries = useQueryClient();
  const { attempt, trouble } = useAttempt(() => void queries.invalidateQueries());
  const [asking, setAsking] = useState<number | "back" | null>(null);
  const go = () => attempt(() => (asking === "back" ? api.admin.rollback() : api.admin.publish(asking!)));
  return (
    <>
      {trouble && <Trouble>{trouble}</Trouble>}
      <Fetched<{ generations: Generation[] }> what="generations">
        {({ generations }) => (
          <>
            <div className="wide" tabIndex={0} role="region" aria-label={t.maintain.generations}>
              <table className="data">
                <thead><tr>
                  <th scope="col">{t.maintain.generation}</th><th scope="col">{t.maintain.builtAt}</th><th scope="col" className="num">{t.maintain.documents}</th><th><span className="unseen">{t.maintain.publish}</span></th>
                </tr></thead>
                <tbody>
                  {generations.map((it) => (
                    <tr key={it.number}>
                      <th scope="row">{it.number} {it.serving && <span className="badge">{t.maintain.published}</span>}</th>
                      <td>{time(it.created_at, language)}</td>
                      <td className="num">{it.documents.toLocaleString(language)}</td>
                      <td>{!it.serving && <button type="button" className="quiet" onClick={() => setAsking(it.number)} aria-label={`${t.maintain.publish}: ${it.number}`}>{t.maintain.publish}</button>}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {generations.length > 1 && <div className="actions start"><button type="button" className="button" onClick={() => setAsking("back")}>{t.maintain.rollback}</button></div>}
          </>
        )}
      </Fetched>
      {asking !== null && (
        <Confirm
          title={asking === "back" ? t.maintain.rollbackTitle : t.maintain.publishTitle(asking)}
          text={t.maintain.publishText}
          action={asking === "back" ? t.maintain.rollback : t.maintain.publish}
          onConfirm={go}
          onClose={() => setAsking(null)}
        />
      )}
    </>
  );
}
