// The API's description, written out from /openapi.json without loading anything from elsewhere.

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { request } from "../api";
import { useText } from "../i18n";
import { Waiting } from "../parts/Notice";
import { type Description, operations, resolved } from "./openapi";

export function DocsPage() {
  const t = useText();
  const { data, error, refetch } = useQuery({
    queryKey: ["openapi"],
    queryFn: async () => (await (await request("/openapi.json")).json()) as Description,
  });
  useEffect(() => {
    document.title = `${t.docs.title} · Docent`;
  }, [t]);
  return (
    <main className="talk api" id="talk">
      <h1 className="page-title">{t.docs.title}</h1>
      <p className="lead">{t.docs.text} <a href="/openapi.json">/openapi.json</a>.</p>
      {!data && <Waiting error={error} retry={() => void refetch()} />}
      {data && operations(data).map((it) => (
        <section className="operation" key={it.method + it.address}>
          <h2>{it.method.toUpperCase()} {it.address}</h2>
          {it.description && <p>{it.description}</p>}
          {it.takes !== undefined && <Schema title={t.docs.takes("application/json")} value={resolved(it.takes, data)} />}
          {it.gives.map(([type, schema]) => <Schema key={type} title={t.docs.gives(type)} value={resolved(schema, data)} />)}
          <p className="facts">{t.docs.errors} {it.errors.join(" · ") || t.docs.anyError}</p>
        </section>
      ))}
    </main>
  );
}

function Schema({ title, value }: { title: string; value: unknown }) {
  return <details><summary>{title}</summary><pre tabIndex={0}><code>{JSON.stringify(value, null, 1)}</code></pre></details>;
}
