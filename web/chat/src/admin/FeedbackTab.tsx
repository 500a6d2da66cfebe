import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api";
import { Address } from "../ask/Sources";
import { useLanguage, useText } from "../i18n";
import { Trouble } from "../parts/Notice";
import { time } from "../text/dates";
import type { Review, ReviewState } from "./data";
import { Fetched, Nothing } from "./MaintainPage";
import { useAttempt } from "./useAttempt";

const STATES = ["new", "seen", "done", "dismissed"] as const;

interface Reviews {
  counts: Record<string, number>;
  feedback: Review[];
  next: string | null;
}

export function FeedbackTab() {
  const t = useText();
  const queries = useQueryClient();
  const { attempt, trouble } = useAttempt(() => void queries.invalidateQueries({ queryKey: ["admin"] }));
  const [state, setState] = useState<ReviewState>("new");
  const [before, setBefore] = useState("");
  return (
    <Fetched<Reviews> what={`feedback?state=${state}${before && `&before=${encodeURIComponent(before)}`}`}>
      {({ counts, feedback, next }) => (
        <>
          <p className="actions start">
            {STATES.map((it) => (
              <button key={it} type="button" className="quiet" aria-pressed={it === state} onClick={() => { setState(it); setBefore(""); }}>
                {t.maintain.states[it]} {counts[it] ?? 0}
              </button>
            ))}
          </p>
          {trouble && <Trouble>{trouble}</Trouble>}
          {!feedback.length && <Nothing>{t.maintain.none}</Nothing>}
          {feedback.map((it) => (
            <article className="item" key={it.id}>
              <ReviewView review={it} />
              <div className="actions">
                {STATES.filter((to) => to !== it.state && to !== "new").map((to) => (
                  <button key={to} type="button" className="quiet" onClick={() => attempt(() => api.admin.settle(it.id, to))}>{t.maintain.states[to]}</button>
                ))}
              </div>
            </article>
          ))}
          {next && <button type="button" className="button" onClick={() => setBefore(next)}>{t.search.more}</button>}
        </>
      )}
    </Fetched>
  );
}

/** What somebody said about an answer. */
export function ReviewView({ review }: { review: Review }) {
  const t = useText();
  const { language } = useLanguage();
  const { answer } = review;
  return (
    <>
      <h3>{review.question}</h3>
      <p className="facts">
        <span className={review.helpful === false ? "badge warn" : "badge"}>{review.helpful === null ? "–" : review.helpful ? t.feedback.helpful : t.feedback.notHelpful}</span> {time(review.created_at, language)}
      </p>
      {answer && (
        <p className="prose">
          {answer.sentences.length
            ? answer.sentences.map((it, index) => <span key={index} className={review.wrong_sentences.includes(index) ? "wrong" : undefined}>{it.text} </span>)
            : answer.answer}
        </p>
      )}
      {review.text && <p><strong>{t.maintain.text}</strong> {review.text}</p>}
      {review.right_page && <p><strong>{t.maintain.rightPage}</strong> <Address address={review.right_page} /></p>}
    </>
  );
}
