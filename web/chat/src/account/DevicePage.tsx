// A program that shows a code wants to be let in: who has the code says whether it is.

import { useState } from "react";
import { api, type Device } from "../api";
import { useText } from "../i18n";
import { Trouble, useSentence } from "../parts/Notice";

export function DevicePage() {
  const t = useText();
  const sentence = useSentence();
  const [code, setCode] = useState("");
  const [device, setDevice] = useState<Device | null>(null);
  const [done, setDone] = useState<"" | "let" | "refused">("");
  const [error, setError] = useState<unknown>(null);
  const look = async (event: React.FormEvent) => {
    event.preventDefault();
    setError(null);
    await api.device(code).then(setDevice, setError);
  };
  const decide = async (allow: boolean) => {
    setError(null);
    await api.letIn(code, allow).then(() => setDone(allow ? "let" : "refused"), setError);
    setDevice(null);
    setCode("");
  };
  return (
    <main className="talk" id="talk">
      <h1 className="page-title">{t.device.title}</h1>
      {error !== null && <Trouble>{sentence(error)}</Trouble>}
      {done && <p className="notice" role="status">{done === "let" ? t.device.done : t.device.refused}</p>}
      {!device && !done && (
        <form className="card form" onSubmit={look}>
          <label>{t.device.code}<input type="text" required maxLength={20} value={code} autoComplete="off" autoCapitalize="characters" spellCheck={false} placeholder="BCDF-GHJK" onChange={(event) => setCode(event.target.value)} /></label>
          <div className="actions"><button type="submit" className="button primary" disabled={!code.trim()}>{t.device.look}</button></div>
        </form>
      )}
      {device && (
        <div className="card" role="group" aria-label={t.device.title}>
          <p><strong>{device.name}</strong> {t.device.asks(device.token_days)}</p>
          <ul>{device.scopes.map((scope) => <li key={scope}>{t.tokens.scope[scope] ?? scope}</li>)}</ul>
          <p className="notice">{t.device.warning}</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => void decide(false)}>{t.device.refuse}</button>
            <button type="button" className="button primary" onClick={() => void decide(true)}>{t.device.allow}</button>
          </div>
        </div>
      )}
    </main>
  );
}
