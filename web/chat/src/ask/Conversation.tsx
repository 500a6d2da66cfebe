// One conversation: its turns, and the place to ask on.

import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useLocation } from "wouter";
import { api, type Filter, Problem } from "../api";
import { useText } from "../i18n";
import { useKeys } from "../keys";
import { usePanel } from "../panel/Panel";
import { Waiting } from "../parts/Notice";
import { glossaryOf } from "../text/glossary";
import { Composer } from "./Composer";
import { Turn, versionOf } from "./Turn";
import type { Talk, Turn as TurnData } from "./talks";
import { useTalks } from "./useTalks";
import { Welcome } from "./Welcome";

export function useGlossary() {
  const { data } = useQuery({ queryKey: ["glossary"], queryFn: api.glossary, staleTime: 600_000, retry: false });
  return useMemo(() => glossaryOf(data ?? []), [data]);
}

export function ConversationPage({ id }: { id: string | null }) {
  const talks = useTalks();
  const [, navigate] = useLocation();
  const talk = id === null ? talks.fresh : talks.get(id);
  useEffect(() => {
    // A new conversation has an address as soon as the server has named it.
    if (id === null && talk.id !== null) {
      navigate(`/c/${encodeURIComponent(talk.id)}`, { replace: true });
      talks.renew();
    }
  }, [id, talk, talk.id, navigate, talks]);
  return <ConversationView key={talk.key} talk={talk} />;
}

function ConversationView({ talk }: { talk: Talk }) {
  const t = useText();
  const talks = useTalks();
  const { open } = usePanel();
  const glossary = useGlossary();
  const [filter, setFilter] = useState<Filter>({});
  const [editing, setEditing] = useState<TurnData | null>(null);

  const ask = useCallback((question: string) => {
    setEditing(null);
    void talks.ask(talk, question, filter, editing);
  }, [talks, talk, filter, editing]);
  const retry = useCallback((turn: TurnData) => void talks.ask(talk, turn.question, filter, turn), [talks, talk, filter]);
  const edit = useCallback((turn: TurnData) => setEditing(turn), []);
  useKeys({
    stop: () => talk.running && void talks.stop(talk),
    edit: () => !talk.running && setEditing(talk.turns.at(-1) ?? null),
    copy: () => document.querySelector<HTMLButtonElement>(".turn:last-of-type .turn-actions .copy")?.click(),
  });
  useEffect(() => {
    document.title = talk.title ? `${talk.title} · Docent` : t.app.title;
  }, [talk.title, t]);

  if (talk.state === "failed") {
    const missing = talk.error instanceof Problem && talk.error.status === 404;
    return (
      <main className="talk" id="talk">
        {missing ? <p className="notice">{t.conversations.missing}</p> : <Waiting error={talk.error} retry={() => void talks.load(talk)} />}
      </main>
    );
  }
  const free = !talk.running;
  return (
    <>
      <main className="talk" id="talk">
        {talk.state === "loading" && <Waiting error={null} retry={() => undefined} />}
        {talk.state === "ready" && !talk.turns.length && <Welcome onAsk={ask} />}
        {talk.turns.length > 0 && <h1 className="unseen">{talk.title || t.app.untitled}</h1>}
        {talk.turns.map((turn, index) => (
          <Turn
            key={turn.key}
            turn={turn}
            version={versionOf(turn)}
            last={index === talk.turns.length - 1}
            glossary={glossary}
            onOpen={open}
            onEdit={free ? edit : null}
            onRetry={free ? retry : null}
          />
        ))}
      </main>
      <Composer
        name={talk.id ?? "new"}
        start={new URLSearchParams(location.search).get("q") ?? ""}
        running={talk.running}
        followUp={talk.turns.length > 0}
        editing={editing?.question ?? null}
        filter={filter}
        onFilter={setFilter}
        onAsk={ask}
        onStop={() => void talks.stop(talk)}
        onCancelEdit={() => setEditing(null)}
      />
      <News turn={talk.turns.at(-1)} />
    </>
  );
}

/** What happens, for those who do not see it. */
function News({ turn }: { turn: TurnData | undefined }) {
  const t = useText();
  let text = "";
  if (turn?.phase === "looking") text = t.turn.looking;
  else if (turn?.phase === "queued") text = t.turn.queued(turn.place);
  else if (turn?.phase === "reading") text = t.turn.reading(turn.passages.length);
  else if (turn?.phase === "writing") text = t.turn.writing;
  else if (turn?.phase === "stopped" && turn.questionId) text = t.turn.stopped;
  else if (turn?.phase === "done" && turn.answer) text = `${turn.answer.answer} ${t.turn.done(turn.answer.citations.length)}`;
  return <p id="news" className="unseen" role="status" aria-live="polite">{text}</p>;
}
