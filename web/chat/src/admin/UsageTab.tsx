import { useMemo, useState } from "react";
import { useLanguage, useText } from "../i18n";
import { day as dayOf } from "../text/dates";
import { type Day, days, type Hour } from "./data";
import { Fetched, Nothing } from "./MaintainPage";
import { Plot } from "./Plot";

const SPANS = [7, 30, 90] as const;

export function UsageTab() {
  const t = useText();
  const [span, setSpan] = useState<number>(30);
  return (
    <>
      <p className="actions start">
        {SPANS.map((it) => <button key={it} type="button" className="quiet" aria-pressed={it === span} onClick={() => setSpan(it)}>{t.tokens.days(it)}</button>)}
      </p>
      <Fetched<{ hours: Hour[] }> what={`usage?days=${span}`}>
        {({ hours }) => (hours.length ? <Plots hours={hours} /> : <Nothing>{t.maintain.none}</Nothing>)}
      </Fetched>
    </>
  );
}

function Plots({ hours }: { hours: Hour[] }) {
  const t = useText();
  const all = useMemo(() => days(hours), [hours]);
  const names = all.map((it) => it.day);
  const pair = (of: (it: Day) => readonly [number, number] | null) => [
    { label: t.maintain.median, values: all.map((it) => of(it)?.[0] ?? null) },
    { label: "95 %", values: all.map((it) => of(it)?.[1] ?? null) },
  ];
  return (
    <>
      <div className="plots">
        <Plot title={t.maintain.asks} unit={t.maintain.perDay} days={names} kind="bars"
          series={[{ label: t.maintain.asks, values: all.map((it) => it.asks) }, { label: t.maintain.notFound, values: all.map((it) => it.notFound) }]} />
        <Plot title={t.maintain.searches} unit={t.maintain.perDay} days={names} kind="bars" series={[{ label: t.maintain.searches, values: all.map((it) => it.searches) }]} />
        <Plot title={t.maintain.firstToken} unit={t.maintain.seconds} days={names} kind="lines" series={pair((it) => it.firstToken)} />
        <Plot title={t.maintain.total} unit={t.maintain.seconds} days={names} kind="lines" series={pair((it) => it.total)} />
      </div>
      <details><summary className="facts">{t.maintain.asTable}</summary><Table all={all} /></details>
    </>
  );
}

function Table({ all }: { all: readonly Day[] }) {
  const t = useText();
  const { language } = useLanguage();
  const seconds = (it: readonly [number, number] | null) => (it ? `${it[0].toFixed(1)} / ${it[1].toFixed(1)}` : "");
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={t.maintain.usage}>
      <table className="data">
        <thead><tr>{[t.maintain.day, t.maintain.asks, t.maintain.notFound, t.maintain.searches, t.maintain.firstToken, t.maintain.total].map((it) => <th key={it} scope="col">{it}</th>)}</tr></thead>
        <tbody>
          {all.map((it) => (
            <tr key={it.day}>
              <th scope="row">{dayOf(it.day, language)}</th><td>{it.asks}</td><td>{it.notFound}</td><td>{it.searches}</td><td>{seconds(it.firstToken)}</td><td>{seconds(it.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
