import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api } from "../api";
import { useLanguage, useText } from "../i18n";
import { Trouble } from "../parts/Notice";
import { time } from "../text/dates";
import type { Night, Run, Runs, SourceLine } from "./data";
import { Fetched, Nothing } from "./MaintainPage";
import { useAttempt } from "./useAttempt";

const OFTEN = 3000;

export function SourcesTab() {
  const t = useText();
  const queries = useQueryClient();
  const renew = () => void queries.invalidateQueries({ queryKey: ["admin"] });
  const { attempt, trouble, busy } = useAttempt(renew);
  const run = (name: string) => attempt(() => api.admin.run(name));
  return (
    <>
      {trouble && <Trouble>{trouble}</Trouble>}
      <Fetched<{ sources: SourceLine[] }> what="sources">
        {({ sources }) => (sources.length ? <SourceTable sources={sources} onRun={run} busy={busy} /> : <Nothing>{t.maintain.none}</Nothing>)}
      </Fetched>
      <Fetched<Runs> what="runs" every={OFTEN}>{(runs) => <RunsView runs={runs} onEnded={renew} />}</Fetched>
    </>
  );
}

function SourceTable({ sources, onRun, busy }: { sources: readonly SourceLine[]; onRun: (name: string) => void; busy: boolean }) {
  const t = useText();
  const { language } = useLanguage();
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={t.maintain.sources}>
      <table className="data">
        <thead><tr>
          <th scope="col">{t.maintain.source}</th><th scope="col">{t.maintain.health}</th><th scope="col" className="num">{t.maintain.documents}</th>
          <th scope="col">{t.maintain.lastRun}</th><th scope="col">{t.maintain.owner}</th><th><span className="unseen">{t.maintain.runNow}</span></th>
        </tr></thead>
        <tbody>
          {sources.map((it) => (
            <tr key={it.name}>
              <th scope="row">{it.name} <span className="soft">{it.kind}</span></th>
              <td><Health source={it} /></td>
              <td className="num">{it.documents.toLocaleString(language)}</td>
              <td>{time(it.last_run, language) || t.maintain.never}<br /><span className="facts">+{it.new} ~{it.changed} −{it.removed}</span></td>
              <td>{it.keeper}</td>
              <td>{it.kind && <button type="button" className="quiet" disabled={busy} onClick={() => onRun(it.name)} aria-label={`${t.maintain.runNow}: ${it.name}`}>{t.maintain.runNow}</button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Health({ source }: { source: SourceLine }) {
  const t = useText();
  const { language } = useLanguage();
  const words = { well: t.maintain.healthy, failing: t.maintain.failing, trouble: t.maintain.trouble, never: t.maintain.never, dropped: t.maintain.dropped };
  return (
    <>
      <span className={source.condition === "well" ? "badge" : "badge warn"}>{words[source.condition]}</span>
      {source.trouble && <p className="facts">{source.trouble}</p>}
      {source.failed > 0 && (
        <details>
          <summary className="facts">{t.maintain.failures}: {source.failed}</summary>
          <ul className="pages">
            {source.failures.map((it) => <li key={it.page_id}><code>{it.page_id}</code> {it.reason} <span className="soft">{time(it.at, language)}</span></li>)}
          </ul>
        </details>
      )}
    </>
  );
}

function RunsView({ runs, onEnded }: { runs: Runs; onEnded: () => void }) {
  const t = useText();
  const running = runs.running?.id;
  const before = useRef(running);
  useEffect(() => {
    // What a run has brought stands in the table beside it.
    if (before.current && before.current !== running) onEnded();
    before.current = running;
  }, [running, onEnded]);
  return (
    <>
      <p role="status" className="facts">{runs.running ? `${runs.running.source}: ${runs.running.progress || t.maintain.running}` : ""}</p>
      {runs.runs.length > 0 && <><h2 className="section-title">{t.maintain.runs}</h2><ul className="pages">{runs.runs.map((it) => <RunLine key={it.id} run={it} />)}</ul></>}
      {runs.nights.length > 0 && <><h2 className="section-title">{t.maintain.nights}</h2><ul className="pages">{runs.nights.map((it) => <NightLine key={it.started} night={it} />)}</ul></>}
    </>
  );
}

function RunLine({ run }: { run: Run }) {
  const t = useText();
  const { language } = useLanguage();
  const words = { running: t.maintain.running, well: t.maintain.healthy, trouble: t.maintain.trouble, failed: t.maintain.failing };
  return (
    <li>
      {time(run.started_at, language)} <strong>{run.source}</strong> <span className={run.state === "well" || run.state === "running" ? "badge" : "badge warn"}>{words[run.state]}</span>{" "}
      <span className="soft">{run.message || `+${run.new} ~${run.changed} −${run.removed}`} · {run.by}</span>
    </li>
  );
}

function NightLine({ night }: { night: Night }) {
  const { language } = useLanguage();
  return <li>{time(night.started, language)} <strong>{night.outcome}</strong> <span className="soft">{night.why}</span></li>;
}
