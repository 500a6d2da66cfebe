// The conversations, and the way to everything else.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { Link, useLocation } from "wouter";
import { api, type ConversationLine, known } from "../api";
import { AccountMenu } from "../account/AccountMenu";
import { useText } from "../i18n";
import { atLeast, useMe } from "../me";
import { Icon } from "../parts/Icon";
import { useTalks } from "../ask/useTalks";
import { ConversationMenu } from "./ConversationMenu";

const AT_ONCE = 40;

export function Sidebar({ onNavigate, onKeys }: { onNavigate: () => void; onKeys: () => void }) {
  const t = useText();
  const me = useMe();
  const talks = useTalks();
  const [location, navigate] = useLocation();
  const fresh = () => {
    if (talks.fresh.turns.length) talks.renew();
    navigate("/");
    onNavigate();
    requestAnimationFrame(() => document.getElementById("question")?.focus());
  };
  const item = (href: string, icon: "search" | "gauge", words: string) => (
    <Link href={href} className="side-link" aria-current={location.startsWith(href) ? "page" : undefined} onClick={onNavigate}><Icon name={icon} />{words}</Link>
  );
  return (
    <>
      <nav aria-label={t.app.menu} className="side-nav">
        <Link className="brand" href="/" onClick={onNavigate}>Docent</Link>
        <button type="button" className="side-link" id="fresh" onClick={fresh}><Icon name="plus" />{t.conversations.fresh}</button>
        {item("/search", "search", t.app.search)}
        {atLeast(me.data?.role, "maintainer") && item("/maintain", "gauge", t.app.maintain)}
      </nav>
      {known(me.data) && <Conversations current={location} onNavigate={onNavigate} />}
      <div className="side-foot"><AccountMenu onKeys={onKeys} /></div>
    </>
  );
}

function Conversations({ current, onNavigate }: { current: string; onNavigate: () => void }) {
  const t = useText();
  const [typed, setTyped] = useState("");
  const query = useDeferredValue(typed.trim());
  const { data, isSuccess, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: ["conversations", query],
    queryFn: ({ pageParam }) => api.conversations({ query, limit: AT_ONCE, ...(pageParam ? { before: pageParam } : {}) }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    retry: false,
  });
  const all = data?.pages.flatMap((page) => page.conversations) ?? [];
  return (
    <section className="side-list" aria-label={t.conversations.title}>
      <label className="side-search">
        <span className="unseen">{t.conversations.search}</span>
        <input type="search" value={typed} placeholder={t.conversations.search} onChange={(event) => setTyped(event.target.value)} />
      </label>
      <div className="side-scroll">
        {isSuccess && all.length === 0 && <p className="facts">{query ? t.conversations.noneFound : t.conversations.none}</p>}
        {grouped(all, t.conversations).map(([title, lines]) => (
          <div key={title}>
            <h2 className="small-title">{title}</h2>
            <ul>{lines.map((line) => <Line key={line.id} line={line} current={current === `/c/${encodeURIComponent(line.id)}`} onNavigate={onNavigate} />)}</ul>
          </div>
        ))}
        {hasNextPage && <button type="button" className="quiet" onClick={() => void fetchNextPage()}>{t.conversations.more}</button>}
      </div>
    </section>
  );
}

function Line({ line, current, onNavigate }: { line: ConversationLine; current: boolean; onNavigate: () => void }) {
  const t = useText();
  return (
    <li className={current ? "side-line current" : "side-line"}>
      <Link href={`/c/${encodeURIComponent(line.id)}`} aria-current={current ? "page" : undefined} onClick={onNavigate} title={line.title}>
        {line.title || t.app.untitled}
      </Link>
      {line.share_id && <span className="badge">{t.conversations.shared}</span>}
      <ConversationMenu line={line} current={current} />
    </li>
  );
}

const DAY = 86_400_000;

/** Conversations by how long ago they were; groups without any are left out. */
export function grouped(
  lines: readonly ConversationLine[], words: { today: string; week: string; earlier: string }, now = new Date(),
): [string, ConversationLine[]][] {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).valueOf();
  const groups: [string, ConversationLine[]][] = [[words.today, []], [words.week, []], [words.earlier, []]];
  for (const line of lines) {
    const at = new Date(line.updated_at).valueOf();
    groups[at >= midnight ? 0 : at >= midnight - 7 * DAY ? 1 : 2]![1].push(line);
  }
  return groups.filter(([, them]) => them.length);
}
