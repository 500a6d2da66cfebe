// Dates as people of a language write them.

import type { Messages } from "../i18n/en";

function read(moment: string | null | undefined): Date | null {
  const date = new Date(moment ?? Number.NaN);
  return Number.isNaN(date.valueOf()) ? null : date;
}

/** A date without its time of day; empty when unknown. */
export function day(moment: string | null | undefined, language: string): string {
  const locale = language === "en" ? "en-GB" : language;
  return read(moment)?.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }) ?? "";
}

/** A date with its time; empty when unknown. */
export function time(moment: string | null | undefined, language: string): string {
  const locale = language === "en" ? "en-GB" : language;
  return read(moment)?.toLocaleString(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }) ?? "";
}

const DAY = 86_400_000;

/** How long ago, in words; empty when unknown. */
export function age(moment: string | null | undefined, t: Messages, now = Date.now()): string {
  const date = read(moment);
  if (!date) return "";
  const days = Math.max(0, Math.floor((now - date.valueOf()) / DAY));
  const words = t.sources.age;
  if (days < 1) return words.today;
  if (days < 60) return words.days(days);
  if (days < 730) return words.months(Math.round(days / 30.4));
  return words.years(Math.floor(days / 365.25));
}

/** The parts that are there, one after another with a dot between them. */
export const dotted = (...parts: (string | false | null | undefined)[]) => parts.filter(Boolean).join(" · ");

export const path = (section: readonly string[]) => section.join(" › ");
