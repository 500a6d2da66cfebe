// The page beside the conversation that a number was taken from.

import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { api, type Citation, Problem } from "../api";
import type { Open } from "../ask/Answer";
import { useText } from "../i18n";
import { Icon } from "../parts/Icon";
import { Waiting } from "../parts/Notice";
import type { Quote } from "./blocks";
import { DocumentView } from "./DocumentView";

interface Shown {
  document_id: string;
  quote: Quote | null;
  marker: number | null;
  all: readonly Citation[];
}

interface Panel {
  shown: Shown | null;
  open: Open;
  close: () => void;
  /** To the next or previous citation of the answer. */
  step: (by: 1 | -1) => void;
}

const Context = createContext<Panel | null>(null);

export function PanelProvider({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<Shown | null>(null);
  const opener = useRef<Element | null>(null);
  const open = useCallback<Open>(({ document_id, start, end, marker }, all) => {
    if (!document.querySelector(".panel")?.contains(document.activeElement)) opener.current = document.activeElement;
    setShown({ document_id, quote: start === undefined || end === undefined ? null : { start, end }, marker: marker ?? null, all });
  }, []);
  const close = useCallback(() => {
    setShown(null);
    const back = opener.current;
    // What it was opened from has the focus again, once it may be focused.
    requestAnimationFrame(() => {
      if (back instanceof HTMLElement && back.isConnected) back.focus();
      else document.getElementById("question")?.focus();
    });
  }, []);
  const step = useCallback((by: 1 | -1) => {
    setShown((now) => {
      if (!now || !now.all.length) return now;
      const at = now.all.findIndex((it) => it.marker === now.marker);
      const next = now.all[(at + by + now.all.length) % now.all.length]!;
      return { document_id: next.document_id, quote: { start: next.start, end: next.end }, marker: next.marker, all: now.all };
    });
  }, []);
  const panel = useMemo(() => ({ shown, open, close, step }), [shown, open, close, step]);
  return <Context value={panel}>{children}</Context>;
}

export function usePanel(): Panel {
  const panel = useContext(Context);
  if (!panel) throw new Error("There is no panel outside of PanelProvider.");
  return panel;
}

export function DocumentPanel() {
  const t = useText();
  const { shown, close, step } = usePanel();
  const frame = useRef<HTMLElement>(null);
  useEffect(() => {
    // The title takes the focus as soon as it is there, so that the page is read from its begin.
    if (shown) frame.current?.focus({ preventScroll: true });
  }, [shown?.document_id, shown?.marker]);
  if (!shown) return null;
  return (
    <aside className="panel" ref={frame} tabIndex={-1} aria-label={t.panel.label}>
      <div className="panel-bar">
        {shown.all.length > 1 && (
          <>
            <button type="button" className="icon-button" onClick={() => step(-1)} aria-label={t.panel.previous} title={t.panel.previous}><Icon name="left" /></button>
            <span className="facts">{shown.marker} / {shown.all.length}</span>
            <button type="button" className="icon-button" onClick={() => step(1)} aria-label={t.panel.next} title={t.panel.next}><Icon name="right" /></button>
          </>
        )}
        <button type="button" className="icon-button close" onClick={close} aria-label={t.app.close} title={t.app.close}><Icon name="close" /></button>
      </div>
      <FetchedDocument id={shown.document_id} quote={shown.quote} />
    </aside>
  );
}

export function FetchedDocument({ id, quote, alone = false }: { id: string; quote: Quote | null; alone?: boolean }) {
  const t = useText();
  const { data, error, refetch } = useQuery({
    queryKey: ["document", id],
    queryFn: () => api.document(id),
    staleTime: 60_000,
    retry: false,
  });
  useEffect(() => {
    if (alone) document.title = `${data?.title || t.app.title} · Docent`;
  }, [alone, data, t]);
  if (data) return <DocumentView doc={data} quote={quote} alone={alone} />;
  if (error instanceof Problem && error.status === 404) {
    return <><h2 id="panel-title">{t.panel.missing}</h2><p className="notice">{error.message}</p></>;
  }
  return <Waiting error={error} retry={() => void refetch()} />;
}
