// One question and what came of it: line, pages, draft, checked answer, or why there is none.

import { memo, useEffect, useRef } from "react";
import { Problem, signInAddress } from "../api";
import { useText } from "../i18n";
import { useMe } from "../me";
import { CopyButton } from "../parts/Copy";
import { Icon } from "../parts/Icon";
import { Trouble, useSentence } from "../parts/Notice";
import type { Glossary } from "../text/glossary";
import { Markdown } from "../text/Markdown";
import { clean, formulas } from "../text/sentences";
import { Answer, type Open } from "./Answer";
import { Feedback } from "./Feedback";
import { byDocument, PageList } from "./Sources";
import { isRestored, type Phase, type Turn as TurnData } from "./talks";

interface Props {
  turn: TurnData;
  /** The turn is changed in place: this says that it was. */
  version: string;
  last: boolean;
  glossary: Glossary;
  onOpen: Open;
  onEdit: ((turn: TurnData) => void) | null;
  onRetry: ((turn: TurnData) => void) | null;
}

const ENDED: ReadonlySet<Phase> = new Set(["done", "stopped", "cut", "failed"]);

/** What of a turn is drawn, as one value to compare. */
export const versionOf = (turn: TurnData) =>
  `${turn.phase}|${turn.place}|${turn.draft.length}|${turn.resuming}|${turn.answerId ?? ""}|${turn.passages.length}`;

export const Turn = memo(function Turn({ turn, last, glossary, onOpen, onEdit, onRetry }: Props) {
  const t = useText();
  const busy = !ENDED.has(turn.phase);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (busy) heading.current?.scrollIntoView({ block: "start" });
    // Only when it comes: what is read must not move.
  }, []);
  return (
    <article className={last ? "turn last" : "turn"} aria-busy={busy || undefined}>
      <h2 className="question" ref={heading}>{turn.question}</h2>
      {busy && <Progress turn={turn} onOpen={onOpen} />}
      {turn.draft && <Draft turn={turn} glossary={glossary} />}
      {turn.answer && <Answer answer={turn.answer} glossary={glossary} onOpen={onOpen} />}
      {turn.phase === "stopped" && !turn.answer && <p className="notice">{t.turn.stopped}</p>}
      {turn.phase === "cut" && <p className="notice">{isRestored(turn) ? t.turn.signedOut : t.turn.cut}</p>}
      {turn.phase === "failed" && <Failure turn={turn} />}
      {!busy && (
        <footer className="turn-actions">
          {turn.answer && turn.answerId && <Feedback message={turn.answerId} answer={turn.answer} given={turn.feedback} onGiven={(given) => { turn.feedback = given; }} />}
          {turn.answer && <CopyButton text={asText(turn)} label={t.turn.copy} />}
          {onRetry && (
            <button type="button" className={turn.answer ? "icon-button" : "quiet"} onClick={() => onRetry(turn)} aria-label={turn.answer ? t.turn.retry : undefined} title={t.turn.retry}>
              <Icon name="again" />{!turn.answer && t.turn.retry}
            </button>
          )}
          {onEdit && (
            <button type="button" className="icon-button" onClick={() => onEdit(turn)} aria-label={t.turn.edit} title={t.turn.edit}>
              <Icon name="pen" />
            </button>
          )}
          {turn.answer && <Made turn={turn} />}
        </footer>
      )}
    </article>
  );
});

function Progress({ turn, onOpen }: { turn: TurnData; onOpen: Open }) {
  const t = useText();
  const pages = byDocument(turn.passages);
  const sentence = turn.resuming
    ? t.turn.resuming
    : turn.phase === "queued"
      ? t.turn.queued(turn.place)
      : turn.phase === "looking"
        ? t.turn.looking
        : pages.length
          ? t.turn.reading(pages.length)
          : t.turn.noPages;
  return (
    <>
      <p className="state">{sentence}</p>
      {pages.length > 0 && !turn.draft && <PageList pages={pages} onOpen={onOpen} />}
    </>
  );
}

function Draft({ turn, glossary }: { turn: TurnData; glossary: Glossary }) {
  const t = useText();
  return (
    <div className="draft">
      <p className="label">{turn.phase === "writing" ? t.turn.draft : t.turn.unfinished}</p>
      <div className="prose"><Markdown text={formulas(clean(turn.draft))} glossary={glossary} /></div>
    </div>
  );
}

function Failure({ turn }: { turn: TurnData }) {
  const t = useText();
  const me = useMe();
  const sentence = useSentence();
  const { error } = turn;
  if (error instanceof Problem && error.status === 401) {
    return <Trouble action={<a className="button" href={signInAddress(me.data)}>{t.account.signIn}</a>}>{t.turn.expired}</Trouble>;
  }
  if (isRestored(turn)) return <Trouble>{t.turn.signedOut}</Trouble>;
  const cut = error instanceof Problem && error.status === 0 && turn.draft !== "";
  return <Trouble>{cut ? t.turn.lost : sentence(error)}</Trouble>;
}

function Made({ turn }: { turn: TurnData }) {
  const t = useText();
  const { model, timings } = turn.answer!;
  const total = timings["total_ms"];
  if (!model || total === undefined) return null;
  return <span className="facts made">{t.turn.facts(model, (total / 1000).toFixed(1))}</span>;
}

/** The answer with its sources, as text for somebody else's page. */
function asText(turn: TurnData): string {
  const answer = turn.answer!;
  const body = answer.sentences.length
    ? answer.sentences.map((it) => it.text + it.citations.map((marker) => ` [${marker}]`).join("")).join(" ")
    : answer.answer;
  const sources = answer.citations.map((it) => `[${it.marker}] ${it.title}${it.url ? ` ${it.url}` : ""}`);
  return [body, ...(sources.length ? ["", ...sources] : [])].join("\n");
}
