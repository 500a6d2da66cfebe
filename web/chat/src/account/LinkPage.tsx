// Accounts of other services: one that wants to be linked, and those that are.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type LinkAbout } from "../api";
import { useLanguage, useText } from "../i18n";
import { Trouble, useSentence, Waiting } from "../parts/Notice";
import { day } from "../text/dates";
import { takeCode } from "./code";

const place = (service: string) => (service === "mattermost" ? "Mattermost" : service.replace(/^gitlab:/, "GitLab "));

export function LinkPage() {
  const t = useText();
  const sentence = useSentence();
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const [about, setAbout] = useState<LinkAbout | null>(null);
  const [said, setSaid] = useState("");
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const brought = takeCode();
    setCode(brought);
    if (brought) void api.linkAbout(brought).then(setAbout, setError);
  }, []);
  const decide = async (link: boolean) => {
    setError(null);
    setAbout(null);
    if (!link) return setSaid(t.link.refused);
    await api.link(code).then(() => setSaid(t.link.done), setError);
    await queries.invalidateQueries({ queryKey: ["links"] });
  };
  return (
    <main className="talk wide-page" id="talk">
      <h1 className="page-title">{t.link.title}</h1>
      <p className="lead">{t.link.text}</p>
      {error !== null && <Trouble>{sentence(error)}</Trouble>}
      {said && <p className="notice" role="status">{said}</p>}
      {about && (
        <div className="card" role="group" aria-label={t.link.title}>
          <p>{place(about.service)}: <strong>{about.name}</strong></p>
          <p className="notice">{t.link.warning}</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => void decide(false)}>{t.link.refuse}</button>
            <button type="button" className="button primary" onClick={() => void decide(true)}>{t.link.allow}</button>
          </div>
        </div>
      )}
      <Linked />
    </main>
  );
}

function Linked() {
  const t = useText();
  const { language } = useLanguage();
  const sentence = useSentence();
  const [trouble, setTrouble] = useState<unknown>(null);
  const { data, error, refetch } = useQuery({ queryKey: ["links"], queryFn: api.links, retry: false });
  if (!data) return <Waiting error={error} retry={() => void refetch()} />;
  if (!data.length) return <p className="facts">{t.link.none}</p>;
  const end = async (service: string) => {
    await api.unlink(service).catch(setTrouble);
    await refetch();
  };
  return (
    <>
      {trouble !== null && <Trouble>{sentence(trouble)}</Trouble>}
      <ul className="plain">
        {data.map((it) => (
          <li key={`${it.service} ${it.name}`}>
            {place(it.service)}: <strong>{it.name}</strong>, {day(it.linked_at, language)}{" "}
            <button type="button" className="quiet" onClick={() => void end(it.service)} aria-label={`${t.link.end}: ${place(it.service)}`}>{t.link.end}</button>
          </li>
        ))}
      </ul>
    </>
  );
}
