// A checked answer: its sentences with their numbers, its notices, its sources.

import { useMemo } from "react";
import type { Answer as AnswerData, Citation, Hit } from "../api";
import { useText } from "../i18n";
import { Icon } from "../parts/Icon";
import { Tip } from "../parts/Tip";
import type { Glossary } from "../text/glossary";
import { documentAddress, openable } from "../text/links";
import { dotted, path } from "../text/dates";
import { Markdown } from "../text/Markdown";
import { marked } from "../text/sentences";
import { AlsoRead, Contacts, Nearest, Sources } from "./Sources";

export type Open = (place: { document_id: string; start?: number; end?: number; marker?: number }, all: readonly Citation[]) => void;

export const BARE: Open = () => undefined;

interface Props {
  answer: AnswerData;
  glossary: Glossary;
  onOpen: Open;
}

export function Answer({ answer, glossary, onOpen }: Props) {
  const t = useText();
  const doubted = answer.status === "answered" && answer.sentences.some((sentence) => !sentence.supported);
  return (
    <div className="answer">
      {answer.withheld && <p className="notice">{t.turn.withheld}</p>}
      <Notices answer={answer} onOpen={onOpen} />
      {answer.status === "not_found" && <p className="notice">{answer.answer || t.turn.notFound}</p>}
      {answer.status === "extracts" && <Extracts answer={answer} onOpen={onOpen} />}
      {answer.status === "answered" && <Prose answer={answer} glossary={glossary} onOpen={onOpen} />}
      {doubted && <p className="legend">{t.turn.legend}</p>}
      {answer.status === "not_found" ? (
        <>
          <Nearest passages={answer.passages} onOpen={onOpen} />
          <Contacts contacts={answer.contacts} />
        </>
      ) : (
        <>
          <Sources citations={answer.citations} onOpen={onOpen} />
          <AlsoRead answer={answer} onOpen={onOpen} />
        </>
      )}
    </div>
  );
}

function Prose({ answer, glossary, onOpen }: Props) {
  const t = useText();
  const text = useMemo(() => marked(answer), [answer]);
  const within = useMemo(() => {
    const doubtful = (index: number) => answer.sentences[index]?.supported === false;
    return {
      links: linksOf(answer),
      doubtful,
      after: (index: number) => (
        <>
          {doubtful(index) && <span className="unseen"> ({t.turn.unsupported})</span>}
          <Numbers answer={answer} sentence={index} onOpen={onOpen} />
        </>
      ),
    };
  }, [answer, onOpen, t]);
  return <div className="prose checked"><Markdown text={text} glossary={glossary} within={within} /></div>;
}

/** Passages word for word are no Markdown: shown as they stand. */
function Extracts({ answer, onOpen }: { answer: AnswerData; onOpen: Open }) {
  const t = useText();
  // The first line says why there are only extracts.
  const why = answer.answer.split("\n", 1)[0] || t.turn.away;
  return (
    <>
      <p className="notice">{why}</p>
      <div className="prose checked extracts">
        {answer.sentences.map((sentence, index) => (
          <p key={index}><span>{sentence.text}</span><Numbers answer={answer} sentence={index} onOpen={onOpen} /></p>
        ))}
      </div>
    </>
  );
}

function Numbers({ answer, sentence, onOpen }: { answer: AnswerData; sentence: number; onOpen: Open }) {
  const markers = answer.sentences[sentence]?.citations ?? [];
  return markers.map((marker) => {
    const citation = answer.citations.find((it) => it.marker === marker);
    return citation ? <Marker key={marker} citation={citation} all={answer.citations} onOpen={onOpen} /> : null;
  });
}

/** The number that opens a citation; its quote on hover and focus. */
function Marker({ citation, all, onOpen }: { citation: Citation; all: readonly Citation[]; onOpen: Open }) {
  const t = useText();
  const tip = (
    <>
      <span className="tip-title">{dotted(citation.title || t.app.noTitle, path(citation.section))}</span>
      <span className="tip-quote">{citation.quote}</span>
    </>
  );
  return (
    <Tip text={tip} wide>
      <a
        className="marker"
        href={documentAddress(citation)}
        aria-label={t.sources.number(citation.marker, citation.title || t.app.noTitle)}
        onClick={(event) => opened(event, () => onOpen(citation, all))}
      >
        {citation.marker}
      </a>
    </Tip>
  );
}

/** With a modifier a link stays one: a new tab with the document alone. */
export function opened(event: React.MouseEvent, open: () => void): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  open();
}

/** What to know before leaning on the answer, beside the numbers it is about. */
function Notices({ answer, onOpen }: { answer: AnswerData; onOpen: Open }) {
  const t = useText();
  if (!answer.notices.length) return null;
  return (
    <ul className="notices">
      {answer.notices.map((notice, index) => (
        <li key={index} className={`notice-${notice.kind}`}>
          <Icon name={notice.kind === "unsure" || notice.kind === "missing" ? "info" : "warn"} />
          <span>
            <strong>{t.notice[notice.kind] ?? ""}</strong> {notice.text}
            {notice.citations.map((marker) => {
              const citation = answer.citations.find((it) => it.marker === marker);
              return citation ? <Marker key={marker} citation={citation} all={answer.citations} onOpen={onOpen} /> : null;
            })}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Addresses that an answer may link to: those of what it was made from. */
function linksOf(answer: AnswerData): ReadonlySet<string> {
  const pages: (Citation | Hit)[] = [...answer.citations, ...answer.passages];
  return new Set(pages.flatMap((page) => [page.url, ...page.also]).flatMap((url) => openable(url) ?? []));
}
