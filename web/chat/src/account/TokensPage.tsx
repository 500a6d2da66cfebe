// API tokens: made, shown once, revoked.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Token } from "../api";
import { useLanguage, useText } from "../i18n";
import { atLeast, useMe } from "../me";
import { CopyButton } from "../parts/Copy";
import { Confirm } from "../parts/Dialog";
import { Trouble, useSentence, Waiting } from "../parts/Notice";
import { day } from "../text/dates";

const DAYS = [7, 30, 90, 365] as const;
const SCOPES = ["ask", "search", "read", "feedback", "history"] as const;
const HIGHER = ["admin", "metrics"] as const;

export function TokensPage() {
  const t = useText();
  const { data, error, refetch } = useQuery({ queryKey: ["tokens"], queryFn: api.tokens, retry: false });
  return (
    <main className="talk wide-page" id="talk">
      <h1 className="page-title">{t.tokens.title}</h1>
      <p className="lead">{t.tokens.text} <code>Authorization: Bearer docent_…</code></p>
      <Make />
      {!data && <Waiting error={error} retry={() => void refetch()} />}
      {data?.length === 0 && <p className="facts">{t.tokens.none}</p>}
      {data && data.length > 0 && <List tokens={data} />}
    </main>
  );
}

function Make() {
  const t = useText();
  const me = useMe();
  const sentence = useSentence();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [days, setDays] = useState<number>(90);
  const [scopes, setScopes] = useState<readonly string[]>(["ask", "search", "read"]);
  const [made, setMade] = useState("");
  const [error, setError] = useState<unknown>(null);
  const offered = atLeast(me.data?.role, "maintainer") ? [...SCOPES, ...HIGHER] : SCOPES;
  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    setError(null);
    try {
      const expires = new Date(Date.now() + days * 86_400_000).toISOString();
      const told = await api.makeToken({ name: name.trim(), scopes: [...scopes], expires_at: expires });
      setMade(told.token);
      setName("");
      await queries.invalidateQueries({ queryKey: ["tokens"] });
    } catch (trouble) {
      setError(trouble);
    }
  };
  if (made) {
    return (
      <div className="card" role="status">
        <p><strong>{t.tokens.made}</strong></p>
        <p className="secret"><code>{made}</code> <CopyButton text={made} label={t.app.copy} words /></p>
        <div className="actions"><button type="button" className="button" onClick={() => setMade("")}>{t.tokens.done}</button></div>
      </div>
    );
  }
  return (
    <form className="card form" onSubmit={submit}>
      <div className="row">
        <label>{t.tokens.name}<input type="text" required maxLength={100} value={name} placeholder={t.tokens.nameHint} onChange={(event) => setName(event.target.value)} /></label>
        <label>{t.tokens.expires}
          <select value={days} onChange={(event) => setDays(Number(event.target.value))}>{DAYS.map((n) => <option key={n} value={n}>{t.tokens.days(n)}</option>)}</select>
        </label>
      </div>
      <fieldset className="scopes">
        <legend>{t.tokens.scopes}</legend>
        {offered.map((scope) => (
          <label key={scope} className="check">
            <input type="checkbox" checked={scopes.includes(scope)} onChange={() => setScopes(scopes.includes(scope) ? scopes.filter((it) => it !== scope) : [...scopes, scope])} />
            <span>{t.tokens.scope[scope] ?? scope}</span>
          </label>
        ))}
      </fieldset>
      {error !== null && <Trouble>{sentence(error)}</Trouble>}
      <div className="actions"><button type="submit" className="button primary" disabled={!name.trim() || !scopes.length}>{t.tokens.make}</button></div>
    </form>
  );
}

const over = (token: Token) => token.revoked_at !== null || new Date(token.expires_at).valueOf() < Date.now();

function List({ tokens }: { tokens: readonly Token[] }) {
  const t = useText();
  const { language } = useLanguage();
  const queries = useQueryClient();
  const sentence = useSentence();
  const [leaving, setLeaving] = useState<Token | null>(null);
  const [error, setError] = useState<unknown>(null);
  const revoke = async (token: Token) => {
    await api.revokeToken(token.id).catch(setError);
    await queries.invalidateQueries({ queryKey: ["tokens"] });
  };
  return (
    <>
      {error !== null && <Trouble>{sentence(error)}</Trouble>}
      <div className="wide" tabIndex={0} role="region" aria-label={t.tokens.title}>
        <table className="data">
          <thead><tr><th scope="col">{t.tokens.name}</th><th scope="col">{t.tokens.scopes}</th><th scope="col">{t.tokens.until}</th><th scope="col">{t.tokens.used}</th><th><span className="unseen">{t.tokens.revoke}</span></th></tr></thead>
          <tbody>
            {tokens.map((token) => (
              <tr key={token.id}>
                <th scope="row">{token.name}</th>
                <td>{token.scopes.join(", ")}</td>
                <td>{day(token.expires_at, language)} {over(token) && <span className="badge warn">{token.revoked_at ? t.tokens.revoked : t.tokens.expired}</span>}</td>
                <td>{day(token.last_used_at, language) || t.tokens.never}</td>
                <td><button type="button" className="quiet" hidden={over(token)} onClick={() => setLeaving(token)} aria-label={`${t.tokens.revoke}: ${token.name}`}>{t.tokens.revoke}</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {leaving && <Confirm title={t.tokens.revokeTitle(leaving.name)} text={t.tokens.revokeText} action={t.tokens.revoke} onConfirm={() => void revoke(leaving)} onClose={() => setLeaving(null)} />}
    </>
  );
}
