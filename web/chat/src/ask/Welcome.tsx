// The page before the first question: what this is, how much it knows, what could be asked.

import { useQuery } from "@tanstack/react-query";
import { api } from "../api";
import { useLanguage, useText } from "../i18n";
import { day, dotted } from "../text/dates";

export function Welcome({ onAsk }: { onAsk: (question: string) => void }) {
  const t = useText();
  const { language } = useLanguage();
  const health = useQuery({ queryKey: ["health"], queryFn: api.health, refetchInterval: 30_000, retry: false });
  const suggestions = useQuery({ queryKey: ["suggestions"], queryFn: api.suggestions, staleTime: 600_000, retry: false });
  const { data } = health;
  const empty = data !== undefined && data.chunks === 0;
  return (
    <section className="welcome">
      <h1>{t.welcome.title}</h1>
      <p>{t.welcome.text}</p>
      {data && !empty && (
        <p className="facts" id="standing">
          {dotted(
            t.welcome.documents(data.documents.toLocaleString(language)),
            data.model ? t.welcome.model(data.model) : t.welcome.noModel,
            t.welcome.built(day(data.built_at, language)),
          )}
        </p>
      )}
      {empty && <p className="notice"><strong>{t.empty.index}</strong> {t.empty.indexText}</p>}
      {data?.model_state === "loading" && <p className="notice">{t.empty.model}</p>}
      {data?.model_state === "away" && <p className="notice">{t.empty.away}</p>}
      {suggestions.data && suggestions.data.length > 0 && !empty && (
        <>
          <h2 className="small-title">{t.welcome.examples}</h2>
          <ul id="suggestions" className="suggestions">
            {suggestions.data.map((text) => <li key={text}><button type="button" onClick={() => onAsk(text)}>{text}</button></li>)}
          </ul>
        </>
      )}
    </section>
  );
}
