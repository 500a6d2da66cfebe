// Results without a model, with filters and counts of what the reader may see.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { useSearch } from "wouter/use-browser-location";
import { api, type Facets, type FacetValue, type Filter, type Found, type Hit } from "../api";
import { Facts, PageLink } from "../ask/Sources";
import { useText } from "../i18n";
import { usePanel } from "../panel/Panel";
import { Icon } from "../parts/Icon";
import { Waiting } from "../parts/Notice";
import { addressOf, asked, inYear, wordsOf, yearOf } from "./address";
import { excerpt } from "./excerpt";

const AT_ONCE = 20;
// Further down the server does not go, and nobody reads.
const FURTHEST = 400;

export function SearchPage() {
  const t = useText();
  const search = useSearch();
  const { query, filter } = asked(search);
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState(query);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => setTyped(query), [query]);
  useEffect(() => {
    document.title = query ? `${query} · Docent` : `${t.search.title} · Docent`;
    if (!query) field.current?.focus();
  }, [query, t]);
  const go = (to: string, by: Filter) => navigate(addressOf(to, by));
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    if (typed.trim()) go(typed.trim(), filter);
  };
  return (
    <main className="talk search-page" id="talk">
      <h1 className="unseen">{t.search.title}</h1>
      <form role="search" className="search-form" onSubmit={submit}>
        <label className="unseen" htmlFor="search">{t.search.label}</label>
        <Icon name="search" />
        <input id="search" ref={field} type="search" value={typed} maxLength={4000} placeholder={t.search.placeholder} onChange={(event) => setTyped(event.target.value)} />
        <button type="submit" className="send" disabled={!typed.trim()}>{t.search.go}</button>
      </form>
      {query ? <Results query={query} filter={filter} onFilter={(by) => go(query, by)} /> : <p className="facts">{t.search.start}</p>}
    </main>
  );
}

function Results({ query, filter, onFilter }: { query: string; filter: Filter; onFilter: (filter: Filter) => void }) {
  const t = useText();
  const { open } = usePanel();
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetching } = useInfiniteQuery({
    queryKey: ["search", query, filter],
    queryFn: ({ pageParam, signal }) => api.search({ query, k: AT_ONCE, offset: pageParam, filter }, signal),
    initialPageParam: 0,
    getNextPageParam: (page: Found, pages) =>
      page.hits.length === AT_ONCE && pages.length * AT_ONCE <= FURTHEST ? pages.length * AT_ONCE : undefined,
    placeholderData: (before) => before,
    retry: false,
  });
  if (!data) return <Waiting error={error} retry={() => void refetch()} />;
  const first = data.pages[0]!;
  const hits = data.pages.flatMap((page) => page.hits);
  return (
    <div className="results" aria-busy={isFetching}>
      <FacetPanel facets={first.facets} filter={filter} onFilter={onFilter} />
      <section aria-label={t.search.title}>
        <p className="facts" role="status">
          {t.search.results(first.total)} · <Link href={`/?q=${encodeURIComponent(query)}`}>{t.search.ask}</Link>
        </p>
        {!hits.length && <p className="notice"><strong>{t.search.none}</strong> {t.search.noneHint}</p>}
        <ol className="hits">
          {hits.map((hit) => <HitView key={hit.chunk_id} hit={hit} words={wordsOf(query)} onOpen={() => open(hit, [])} />)}
        </ol>
        {hasNextPage && <button type="button" className="button" onClick={() => void fetchNextPage()}>{t.search.more}</button>}
      </section>
    </div>
  );
}

function HitView({ hit, words, onOpen }: { hit: Hit; words: ReadonlySet<string>; onOpen: () => void }) {
  return (
    <li className="hit">
      <PageLink page={hit} onOpen={onOpen} />
      <p className="hit-text">
        {excerpt(hit.text, words).map((piece, index) => (piece.marked ? <mark key={index}>{piece.text}</mark> : <span key={index}>{piece.text}</span>))}
      </p>
      <Facts page={hit} extra={hit.format ?? ""} />
    </li>
  );
}

function FacetPanel({ facets, filter, onFilter }: { facets: Facets; filter: Filter; onFilter: (filter: Filter) => void }) {
  const t = useText();
  const set = Boolean(filter.sources?.length || filter.formats?.length || filter.since || filter.until);
  const toggled = (all: readonly string[] | undefined, value: string) => (all?.includes(value) ? all.filter((it) => it !== value) : [...(all ?? []), value]);
  const year = yearOf(filter);
  return (
    <details className="facets" open={matchMedia("(min-width: 60rem)").matches}>
      <summary><Icon name="filter" />{t.search.filters}</summary>
      {set && <button type="button" className="quiet" onClick={() => onFilter({})}>{t.search.reset}</button>}
      <FacetList title={t.search.source} values={facets.sources} chosen={filter.sources ?? []} onToggle={(value) => onFilter({ ...filter, sources: toggled(filter.sources, value) })} />
      <FacetList title={t.search.format} values={facets.formats} chosen={filter.formats ?? []} onToggle={(value) => onFilter({ ...filter, formats: toggled(filter.formats, value) })} />
      <FacetList title={t.search.year} values={facets.years} chosen={year ? [year] : []} onToggle={(value) => onFilter({ ...filter, ...inYear(value === year ? "" : value) })} />
    </details>
  );
}

interface ListProps {
  title: string;
  values: readonly FacetValue[];
  chosen: readonly string[];
  onToggle: (value: string) => void;
}

function FacetList({ title, values, chosen, onToggle }: ListProps) {
  // What is chosen stays to be taken away again, also where it counts nothing any more.
  const gone = chosen.filter((value) => !values.some((it) => it.value === value)).map((value) => ({ value, count: 0 }));
  const all = [...values.map((it) => ({ value: String(it.value), count: it.count })), ...gone];
  if (!all.length) return null;
  return (
    <fieldset>
      <legend>{title}</legend>
      {all.map(({ value, count }) => (
        <label key={value} className="check">
          <input type="checkbox" checked={chosen.includes(value)} onChange={() => onToggle(value)} />
          <span>{value}</span> <span className="count">{count.toLocaleString()}</span>
        </label>
      ))}
    </fieldset>
  );
}
