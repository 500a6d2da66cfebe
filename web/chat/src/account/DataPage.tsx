// What is kept of the one who asks: to take along, and to erase.

import { useState } from "react";
import { api } from "../api";
import { useText } from "../i18n";
import { Dialog } from "../parts/Dialog";
import { Trouble, useSentence } from "../parts/Notice";

export function DataPage() {
  const t = useText();
  const sentence = useSentence();
  const [asking, setAsking] = useState(false);
  const [word, setWord] = useState("");
  const [erased, setErased] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const erase = async (event: React.FormEvent) => {
    event.preventDefault();
    setAsking(false);
    setWord("");
    await api.erase().then(() => setErased(true), setError);
  };
  return (
    <main className="talk" id="talk">
      <h1 className="page-title">{t.data.title}</h1>
      <p className="lead">{t.data.text}</p>
      {erased && <p className="notice" role="status">{t.data.erased}</p>}
      {error !== null && <Trouble>{sentence(error)}</Trouble>}
      <div className="actions start">
        <a className="button" href={api.accountAddress} download>{t.data.export}</a>
        <button type="button" className="button danger" onClick={() => setAsking(true)}>{t.data.erase}</button>
      </div>
      {asking && (
        <Dialog title={t.data.eraseTitle} onClose={() => setAsking(false)}>
          <form className="form" onSubmit={erase}>
            <p>{t.data.eraseText}</p>
            <label>{t.data.eraseConfirm} “{t.data.eraseWord}”<input type="text" value={word} autoComplete="off" onChange={(event) => setWord(event.target.value)} /></label>
            <div className="actions">
              <button type="button" className="button" onClick={() => setAsking(false)}>{t.app.cancel}</button>
              <button type="submit" className="button danger" disabled={word.trim().toLowerCase() !== t.data.eraseWord.toLowerCase()}>{t.data.erase}</button>
            </div>
          </form>
        </Dialog>
      )}
    </main>
  );
}
