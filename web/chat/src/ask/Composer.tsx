// Where a question is written.

import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Filter } from "../api";
import { useText } from "../i18n";
import { Icon } from "../parts/Icon";
import { tab } from "../prefs";
import { Scope } from "./Scope";

export const MOST = 4000;

interface Props {
  /** What the typed text is kept under, over a reload of the page. */
  name: string;
  running: boolean;
  followUp: boolean;
  editing: string | null;
  filter: Filter;
  onFilter: (filter: Filter) => void;
  onAsk: (question: string) => void;
  onStop: () => void;
  onCancelEdit: () => void;
  /** What stands there at first. */
  start?: string;
}

export function Composer({ name, running, followUp, editing, filter, onFilter, onAsk, onStop, onCancelEdit, start = "" }: Props) {
  const t = useText();
  const [text, setText] = useState(() => tab.get(`typed.${name}`) || start);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (editing === null) return;
    setText(editing);
    area.current?.focus();
  }, [editing]);
  useEffect(() => tab.set(`typed.${name}`, text), [name, text]);
  useLayoutEffect(() => {
    const it = area.current;
    if (!it) return;
    it.style.height = "auto";
    it.style.height = `${it.scrollHeight}px`;
  }, [text]);
  const ask = () => {
    const question = text.trim();
    if (!question || running || question.length > MOST) return;
    setText("");
    onAsk(question);
  };
  const cancel = () => {
    setText("");
    onCancelEdit();
  };
  return (
    <form className="ask" aria-label={t.composer.label} onSubmit={(event) => { event.preventDefault(); ask(); }}>
      {editing !== null && (
        <p className="editing">{t.composer.editing} <button type="button" className="quiet" onClick={cancel}>{t.composer.cancelEdit}</button></p>
      )}
      <div className="field">
        <label className="unseen" htmlFor="question">{t.composer.label}</label>
        <textarea
          id="question"
          ref={area}
          rows={1}
          maxLength={MOST}
          autoComplete="off"
          value={text}
          placeholder={followUp ? t.composer.followUp : t.composer.placeholder}
          aria-describedby="hint"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape" && editing !== null) cancel();
            // While a word is being composed, Enter belongs to the input method.
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            ask();
          }}
        />
        <div className="field-row">
          <Scope filter={filter} onChange={onFilter} />
          {running
            ? <button type="button" id="stop" className="send stop" onClick={onStop}><Icon name="stop" />{t.composer.stop}</button>
            : <button type="submit" id="send" className="send" disabled={!text.trim()}><Icon name="send" />{t.composer.ask}</button>}
        </div>
      </div>
      <p className="hint" id="hint">{text.length >= MOST ? t.composer.tooLong(MOST) : t.composer.hint}</p>
    </form>
  );
}
