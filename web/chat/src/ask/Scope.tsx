// What a question or a search is kept to: sources and dates, as chips.

import * as Popover from "@radix-ui/react-popover";
import { useQuery } from "@tanstack/react-query";
import { api, type Filter } from "../api";
import { useLanguage, useText } from "../i18n";
import { day } from "../text/dates";
import { Icon } from "../parts/Icon";

interface Props {
  filter: Filter;
  onChange: (filter: Filter) => void;
}

export function Scope({ filter, onChange }: Props) {
  return <div className="chips"><Sources filter={filter} onChange={onChange} /><Dates filter={filter} onChange={onChange} /></div>;
}

function Sources({ filter, onChange }: Props) {
  const t = useText();
  const { data } = useQuery({ queryKey: ["facets"], queryFn: api.facets, staleTime: 300_000, retry: false });
  const chosen = filter.sources ?? [];
  if (!data || data.sources.length < 2) return null;
  const toggle = (value: string) =>
    onChange({ ...filter, sources: chosen.includes(value) ? chosen.filter((it) => it !== value) : [...chosen, value] });
  const label = chosen.length === 0 ? t.scope.allSources : chosen.length === 1 ? chosen[0]! : t.scope.someSources(chosen.length);
  return (
    <Chip label={label} title={t.scope.sources} set={chosen.length > 0} onClear={() => onChange({ ...filter, sources: [] })}>
      <fieldset>
        <legend>{t.scope.only}</legend>
        {data.sources.map(({ value, count }) => (
          <label key={value} className="check">
            <input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} />
            <span>{value}</span> <span className="count">{count.toLocaleString()}</span>
          </label>
        ))}
      </fieldset>
    </Chip>
  );
}

/** The day so many years ago, as the server takes it. */
export function yearsAgo(years: number, now = new Date()): string {
  const date = new Date(Date.UTC(now.getUTCFullYear() - years, now.getUTCMonth(), now.getUTCDate()));
  return date.toISOString().slice(0, 10);
}

function Dates({ filter, onChange }: Props) {
  const t = useText();
  const { language } = useLanguage();
  const { since, until } = filter;
  const label = [since && t.scope.sinceDay(day(since, language)), until && t.scope.untilDay(day(until, language))].filter(Boolean).join(", ");
  const set = (changes: Filter) => onChange({ ...filter, ...changes });
  return (
    <Chip label={label || t.scope.anyDate} title={t.scope.dates} set={label !== ""} onClear={() => set({ since: null, until: null })}>
      <fieldset className="form">
        <legend>{t.scope.dates}</legend>
        <div className="actions start">
          <button type="button" className="quiet" onClick={() => set({ since: yearsAgo(1), until: null })}>{t.scope.year}</button>
          <button type="button" className="quiet" onClick={() => set({ since: yearsAgo(3), until: null })}>{t.scope.years(3)}</button>
        </div>
        <label>{t.scope.since}<input type="date" value={since ?? ""} onChange={(event) => set({ since: event.target.value || null })} /></label>
        <label>{t.scope.until}<input type="date" value={until ?? ""} onChange={(event) => set({ until: event.target.value || null })} /></label>
      </fieldset>
    </Chip>
  );
}

interface ChipProps {
  label: string;
  title: string;
  set: boolean;
  onClear: () => void;
  children: React.ReactNode;
}

function Chip({ label, title, set, onClear, children }: ChipProps) {
  const t = useText();
  return (
    <span className={set ? "chip set" : "chip"}>
      <Popover.Root>
        <Popover.Trigger className="chip-label" aria-label={`${title}: ${label}`}>{label}</Popover.Trigger>
        <Popover.Portal>
          <Popover.Content className="popover" side="top" align="start" sideOffset={6} collisionPadding={8} aria-label={title}>{children}</Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      {set && <button type="button" className="chip-clear" onClick={onClear} aria-label={`${t.scope.clear}: ${title}`}><Icon name="close" /></button>}
    </span>
  );
}
