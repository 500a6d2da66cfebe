// A search as an address, so that it can be linked and gone back to.

import type { Filter } from "../api";

export function addressOf(query: string, filter: Filter): string {
  const given = new URLSearchParams({ q: query });
  for (const source of filter.sources ?? []) given.append("source", source);
  for (const format of filter.formats ?? []) given.append("type", format);
  if (filter.since) given.set("since", filter.since);
  if (filter.until) given.set("until", filter.until);
  return `/search?${given}`;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

export function asked(search: string): { query: string; filter: Filter } {
  const given = new URLSearchParams(search);
  const filter: Filter = {};
  if (given.has("source")) filter.sources = given.getAll("source");
  if (given.has("type")) filter.formats = given.getAll("type");
  for (const edge of ["since", "until"] as const) {
    const value = given.get(edge);
    if (value && DAY.test(value)) filter[edge] = value;
  }
  return { query: (given.get("q") ?? "").trim(), filter };
}

/** The filter of one year; none for an empty one. */
export const inYear = (year: string): Filter =>
  /^\d{4}$/.test(year) ? { since: `${year}-01-01`, until: `${year}-12-31` } : { since: null, until: null };

/** The year that a filter is of; empty where it is of no single one. */
export function yearOf({ since, until }: Filter): string {
  const year = since?.slice(0, 4) ?? "";
  return since === `${year}-01-01` && until === `${year}-12-31` ? year : "";
}

export const wordsOf = (query: string): ReadonlySet<string> =>
  new Set(query.toLowerCase().match(/[\p{L}\p{N}_]{3,}/gu) ?? []);
