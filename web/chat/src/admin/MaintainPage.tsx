// What maintainers see and do.

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { Link } from "wouter";
import { api } from "../api";
import { useText } from "../i18n";
import { atLeast, useMe } from "../me";
import { Waiting } from "../parts/Notice";
import { CandidatesTab } from "./CandidatesTab";
import { FeedbackTab } from "./FeedbackTab";
import { GapsTab } from "./GapsTab";
import { IndexTab } from "./IndexTab";
import { SourcesTab } from "./SourcesTab";
import { StaleTab } from "./StaleTab";
import { UsageTab } from "./UsageTab";

const TABS = {
  sources: SourcesTab,
  generations: IndexTab,
  usage: UsageTab,
  feedback: FeedbackTab,
  gaps: GapsTab,
  stale: StaleTab,
  candidates: CandidatesTab,
} as const;

export function MaintainPage({ tab }: { tab: string }) {
  const t = useText();
  const me = useMe();
  const name = (Object.hasOwn(TABS, tab) ? tab : "sources") as keyof typeof TABS;
  const Tab = TABS[name];
  useEffect(() => {
    document.title = `${t.maintain[name]} · Docent`;
  }, [t, name]);
  if (me.data && !atLeast(me.data.role, "maintainer")) {
    return <main className="talk" id="talk"><p className="notice">{t.maintain.forbidden}</p></main>;
  }
  return (
    <main className="talk maintain" id="talk">
      <h1 className="page-title">{t.maintain.title}</h1>
      <nav className="tabs" aria-label={t.maintain.title}>
        {(Object.keys(TABS) as (keyof typeof TABS)[]).map((it) => (
          <Link key={it} href={`/maintain/${it}`} aria-current={it === name ? "page" : undefined}>{t.maintain[it]}</Link>
        ))}
      </nav>
      {me.data && <Tab />}
    </main>
  );
}

interface FetchedProps<T> {
  what: string;
  every?: number;
  children: (data: T, again: () => void) => ReactNode;
}

/** Something of the maintainers' routes, and what to show of it. */
export function Fetched<T>({ what, every, children }: FetchedProps<T>) {
  const { data, error, refetch } = useQuery({
    queryKey: ["admin", what],
    queryFn: () => api.admin.get<T>(what),
    retry: false,
    ...(every ? { refetchInterval: every } : {}),
  });
  const again = () => void refetch();
  return data === undefined ? <Waiting error={error} retry={again} /> : children(data, again);
}

export const Nothing = ({ children }: { children: ReactNode }) => <p className="facts">{children}</p>;
