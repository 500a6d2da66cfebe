import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api";
import { useText } from "../i18n";
import { Dialog } from "../parts/Dialog";
import { Trouble } from "../parts/Notice";
import type { Candidate } from "./data";
import { ReviewView } from "./FeedbackTab";
import { Fetched, Nothing } from "./MaintainPage";
import { useAttempt } from "./useAttempt";

/** Feedback that may become a question of the test set. */
export function CandidatesTab() {
  const t = useText();
  const queries = useQueryClient();
  const [accepting, setAccepting] = useState<Candidate | null>(null);
  const renew = () => {
    setAccepting(null);
    void queries.invalidateQueries({ queryKey: ["admin"] });
  };
  const { attempt, trouble } = useAttempt(renew);
  return (
    <Fetched<{ candidates: Candidate[]; accepted: number }> what="candidates">
      {({ candidates, accepted }) => (
        <>
          {accepted > 0 && <p><a className="button" href={api.admin.questionsAddress} download="questions.jsonl">{t.maintain.download(accepted)}</a></p>}
          {trouble && <Trouble>{trouble}</Trouble>}
          {!candidates.length && <Nothing>{t.maintain.none}</Nothing>}
          {candidates.map((it) => (
            <article className="item" key={it.id}>
              <ReviewView review={it} />
              <div className="actions">
                <button type="button" className="quiet" onClick={() => setAccepting(it)}>{t.maintain.accept}</button>
                <button type="button" className="quiet" onClick={() => attempt(() => api.admin.judge(it.id, { verdict: "rejected" }))}>{t.maintain.reject}</button>
              </div>
            </article>
          ))}
          {accepting && <Accept candidate={accepting} trouble={trouble} onClose={() => setAccepting(null)} onAccept={(gold) => attempt(() => api.admin.judge(accepting.id, { verdict: "accepted", gold }))} />}
        </>
      )}
    </Fetched>
  );
}

export interface Gold {
  question: string;
  documents: string[];
  facts: { text: string; keys: string[] }[];
  answer: string;
}

/** A question of the test set as it was typed: a line each for pages and facts, `fact = key | key`. */
export function goldOf(question: string, documents: string, facts: string, answer: string): Gold {
  const lines = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);
  return {
    question: question.trim(),
    documents: lines(documents),
    facts: lines(facts).map((line) => {
      const [text = "", keys = ""] = line.split("=").map((part) => part.trim());
      const given = keys.split("|").map((key) => key.trim()).filter(Boolean);
      return { text, keys: given.length ? given : [text] };
    }),
    answer: answer.trim(),
  };
}

interface AcceptProps {
  candidate: Candidate;
  trouble: string;
  onClose: () => void;
  onAccept: (gold: Gold) => void;
}

function Accept({ candidate, trouble, onClose, onAccept }: AcceptProps) {
  const t = useText();
  const { draft } = candidate;
  const [question, setQuestion] = useState(draft.question);
  const [documents, setDocuments] = useState(draft.documents.join("\n"));
  const [facts, setFacts] = useState("");
  const [answer, setAnswer] = useState(draft.answer);
  return (
    <Dialog title={t.maintain.accept} onClose={onClose}>
      <form className="form" onSubmit={(event) => { event.preventDefault(); onAccept(goldOf(question, documents, facts, answer)); }}>
        <label>{t.maintain.question}<input type="text" required value={question} onChange={(event) => setQuestion(event.target.value)} /></label>
        <label>{t.maintain.goldPages}<textarea rows={3} value={documents} onChange={(event) => setDocuments(event.target.value)} /></label>
        <label>{t.maintain.goldFacts}<textarea rows={3} value={facts} onChange={(event) => setFacts(event.target.value)} /></label>
        <label>{t.maintain.expected}<textarea rows={3} value={answer} onChange={(event) => setAnswer(event.target.value)} /></label>
        {trouble && <Trouble>{trouble}</Trouble>}
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>{t.app.cancel}</button>
          <button type="submit" className="button primary">{t.maintain.accept}</button>
        </div>
      </form>
    </Dialog>
  );
}
