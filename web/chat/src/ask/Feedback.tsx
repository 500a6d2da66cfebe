// Whether an answer helped, and what is wrong with it.

import { useState } from "react";
import { api, type Answer, type Feedback as Given } from "../api";
import { useText } from "../i18n";
import { Dialog } from "../parts/Dialog";
import { Icon } from "../parts/Icon";
import { Trouble, useSentence } from "../parts/Notice";

interface Props {
  message: string;
  answer: Answer;
  /** What was said before. */
  given: Given | null;
  onGiven: (given: Given) => void;
}

export function Feedback({ message, answer, given, onGiven }: Props) {
  const t = useText();
  const sentence = useSentence();
  const [said, setSaid] = useState(given);
  const [asking, setAsking] = useState(false);
  const [news, setNews] = useState("");
  const taken = (now: Given) => {
    setSaid(now);
    onGiven(now);
    setNews(t.feedback.thanks);
  };
  const send = async (now: Given) => {
    try {
      await api.feedback(message, now);
      taken(now);
    } catch (error) {
      setNews(sentence(error));
    }
  };
  const good = () => void send({ helpful: true, wrong_sentences: [], text: "", right_page: "" });
  return (
    <>
      <button type="button" className="icon-button" aria-pressed={said?.helpful === true} onClick={good} aria-label={t.feedback.helpful} title={t.feedback.helpful}>
        <Icon name="up" />
      </button>
      <button type="button" className="icon-button" aria-pressed={said?.helpful === false} onClick={() => setAsking(true)} aria-label={t.feedback.notHelpful} title={t.feedback.notHelpful}>
        <Icon name="down" />
      </button>
      <span className="facts" role="status">{news}</span>
      {asking && <WhatIsWrong message={message} answer={answer} given={said} onClose={() => setAsking(false)} onSent={(now) => { taken(now); setAsking(false); }} />}
    </>
  );
}

interface WrongProps {
  message: string;
  answer: Answer;
  given: Given | null;
  onClose: () => void;
  onSent: (now: Given) => void;
}

function WhatIsWrong({ message, answer, given, onClose, onSent }: WrongProps) {
  const t = useText();
  const sentence = useSentence();
  const [wrong, setWrong] = useState<readonly number[]>(given?.wrong_sentences ?? []);
  const [text, setText] = useState(given?.text ?? "");
  const [page, setPage] = useState(given?.right_page ?? "");
  const [error, setError] = useState<unknown>(null);
  const toggle = (index: number) =>
    setWrong(wrong.includes(index) ? wrong.filter((it) => it !== index) : [...wrong, index].sort((a, b) => a - b));
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    const now = { helpful: false, wrong_sentences: [...wrong], text: text.trim(), right_page: page.trim() };
    try {
      await api.feedback(message, now);
      onSent(now);
    } catch (trouble) {
      setError(trouble);
    }
  };
  return (
    <Dialog title={t.feedback.title} onClose={onClose}>
      <form onSubmit={submit} className="form">
        {answer.sentences.length > 0 && (
          <fieldset>
            <legend>{t.feedback.sentences}</legend>
            {answer.sentences.map((it, index) => (
              <label key={index} className="check">
                <input type="checkbox" checked={wrong.includes(index)} onChange={() => toggle(index)} />
                <span>{it.text.replace(/^\s*(?:[-*+•]|#{1,6})\s+/, "")}</span>
              </label>
            ))}
          </fieldset>
        )}
        <label>{t.feedback.text}<textarea rows={3} maxLength={4000} value={text} onChange={(event) => setText(event.target.value)} /></label>
        <label>{t.feedback.page}<input type="text" inputMode="url" maxLength={2000} value={page} onChange={(event) => setPage(event.target.value)} /></label>
        <p className="facts">{t.feedback.note}</p>
        {error !== null && <Trouble>{sentence(error)}</Trouble>}
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>{t.app.cancel}</button>
          <button type="submit" className="button primary">{t.feedback.send}</button>
        </div>
      </form>
    </Dialog>
  );
}
