// A conversation of somebody else, by its link: what the one who looks may see of it.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { api, Problem } from "../api";
import { useGlossary } from "../ask/Conversation";
import { turnsOf } from "../ask/talks";
import { Turn, versionOf } from "../ask/Turn";
import { useText } from "../i18n";
import { usePanel } from "../panel/Panel";
import { Waiting } from "../parts/Notice";

export function SharedPage({ id }: { id: string }) {
  const t = useText();
  const { open } = usePanel();
  const glossary = useGlossary();
  const { data, error, refetch } = useQuery({ queryKey: ["shared", id], queryFn: () => api.shared(id), retry: false });
  // Without an id of the message there is no feedback on what is not one's own.
  const turns = useMemo(() => turnsOf(data?.messages ?? []).map((turn) => ({ ...turn, answerId: null })), [data]);
  useEffect(() => {
    if (data) document.title = `${data.title} · Docent`;
  }, [data]);
  const missing = error instanceof Problem && error.status === 404;
  return (
    <main className="talk" id="talk">
      {missing && <p className="notice">{t.conversations.missing}</p>}
      {!data && !missing && <Waiting error={error} retry={() => void refetch()} />}
      {data && (
        <>
          <h1 className="page-title">{data.title}</h1>
          <p className="facts">{t.conversations.sharedView}</p>
          {data.withheld && !turns.some((turn) => turn.answer?.withheld) && <p className="notice">{t.turn.withheld}</p>}
          {turns.map((turn) => (
            <Turn key={turn.key} turn={turn} version={versionOf(turn)} last={false} glossary={glossary} onOpen={open} onEdit={null} onRetry={null} />
          ))}
        </>
      )}
    </main>
  );
}
