// Whether an answer helped, and what is wrong with it.

import { useState } from "react";
import { api, type Answer, type Feedback as Given } from "../api";
import { useText } from "../i18n";
import { Dialog } from "../parts/Dialog";
import { Icon } from "../parts/Icon";
import { Trouble, useSentence } from "../parts/Notice";

export function Feedback({ message, answer }: { message: string; answer: Answer }) {
  const t = useText();
  const sentence = useSentence();
  const [helpful, setHelpful] = useState<boolean | null>(null);
  const [asking, setAsking] = useState(false);
  const [news, setNews] = useState("");
  const send = async (given: Given) => {
    try {
      await api.feedback(message, given);
      setHelpful(given.helpful);
      setNews(t.feedback.thanks);
    } catch (error) {
      setNews(sentence(error));
    }
  };
  const good = () => void send({ helpful: true, wrong_sentences: [], text: "", right_page: "" });
  return (
    <>
      <button type="button" className="icon-button" aria-pressed={helpful === true} onClick={good} aria-label={t.feedback.helpful} title={t.feedback.helpful}>
        <Icon name="up" />
      </button>
      <button type="button" className="icon-button" aria-pressed={helpful === false} onClick={() => setAsking(true)} aria-label={t.feedback.notHelpful} title={t.feedback.notHelpful}>
        <Icon name="down" />
      </button>
      <span className="facts" role="status">{news}</span>
      {asking && <WhatIsWrong message={message} answer={answer} onClose={() => setAsking(false)} onSent={() => { setHelpful(false); setNews(t.feedback.thanks); setAsking(false); }} />}
    </>
  );
}

interface WrongProps {
  message: string;
  answer: Answer;
  onClose: () => void;
  onSent: () => void;
}

function WhatIsWrong({ message, answer, onClose, onSent }: WrongProps) {
  const t = useText();
  const sentence = useSentence();
  const [wrong, setWrong] = useState<readonly number[]>([]);
  const [text, setText] = useState("");
  const [page, setPage] = useState("");
  const [error, setError] = useState<unknown>(null);
  const toggle = (index: number) =>
    setWrong(wrong.includes(index) ? wrong.filter((it) => it !== index) : [...wrong, index].sort((a, b) => a - b));
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    try {
      await api.feedback(message, { helpful: false, wrong_sentences: [...wrong], text: text.trim(), right_page: page.trim() });
      onSent();
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
