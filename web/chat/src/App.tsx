// The frame: navigation, what the address names, and the panel beside it.

import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { Link, Route, Switch, useLocation, useSearch } from "wouter";
import { usePathname } from "wouter/use-browser-location";
import { keepCode } from "./account/code";
import { known, signInAddress } from "./api";
import { ConversationPage } from "./ask/Conversation";
import { useTalks } from "./ask/useTalks";
import { Sidebar } from "./history/Sidebar";
import { useText } from "./i18n";
import { KeysDialog } from "./KeysDialog";
import { useKeys } from "./keys";
import { useMe } from "./me";
import { DocumentPanel, FetchedDocument, usePanel } from "./panel/Panel";
import { Icon } from "./parts/Icon";
import { Waiting } from "./parts/Notice";
import { store, stored, useTheme } from "./prefs";

const SearchPage = lazy(async () => ({ default: (await import("./search/SearchPage")).SearchPage }));
const SharedPage = lazy(async () => ({ default: (await import("./history/SharedPage")).SharedPage }));
const TokensPage = lazy(async () => ({ default: (await import("./account/TokensPage")).TokensPage }));
const LinkPage = lazy(async () => ({ default: (await import("./account/LinkPage")).LinkPage }));
const DataPage = lazy(async () => ({ default: (await import("./account/DataPage")).DataPage }));
const DevicePage = lazy(async () => ({ default: (await import("./account/DevicePage")).DevicePage }));
const MaintainPage = lazy(async () => ({ default: (await import("./admin/MaintainPage")).MaintainPage }));
const DocsPage = lazy(async () => ({ default: (await import("./docs/DocsPage")).DocsPage }));

const NARROW = "(max-width: 60rem)";
// The router's own patterns stop at a line break.
const DOCUMENT = /^\/documents\/[^]+$/;
const ANY = /^/;

export function App() {
  const t = useText();
  const me = useMe();
  const { shown, close, step } = usePanel();
  const [location] = useLocation();
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  // On a phone the navigation is a drawer; on a desk it stays as it was left.
  const [drawer, setDrawer] = useState(false);
  const [wide, setWide] = useState(() => stored("navigation") !== "hidden");
  const [help, setHelp] = useState(false);
  const open = narrow ? drawer : wide;
  useEffect(() => {
    const media = matchMedia(NARROW);
    const changed = () => setNarrow(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  useEffect(() => {
    if (shown) close();
    // Only when another page is gone to: the panel belongs to what was opened from.
  }, [location.split("/")[1]]);
  const toggle = useCallback(() => {
    if (narrow) setDrawer((was) => !was);
    else setWide((was) => {
      store("navigation", was ? "hidden" : "");
      return !was;
    });
  }, [narrow]);
  useAppKeys({ toggle, help: () => setHelp(true), close: () => (drawer ? setDrawer(false) : shown && close()), step });

  // What covers the page must not let the focus go under it.
  const covered = narrow && (drawer || shown !== null);
  return (
    <div className={`app${open ? " with-side" : ""}${shown ? " with-panel" : ""}`}>
      <a className="skip" href="#talk">{t.app.skip}</a>
      {open && <div className="side" inert={narrow && shown !== null}><Sidebar onNavigate={() => setDrawer(false)} onKeys={() => setHelp(true)} /></div>}
      {narrow && drawer && <button type="button" className="veil" aria-label={t.app.closeNavigation} onClick={() => setDrawer(false)} />}
      <div className="middle" inert={covered}>
        <header className="top">
          <button type="button" className="icon-button" onClick={toggle} aria-expanded={open} aria-label={open ? t.app.closeNavigation : t.app.openNavigation} title={t.app.menu}>
            <Icon name={narrow ? "menu" : "side"} />
          </button>
          {!open && <Link className="brand" href="/">Docent</Link>}
        </header>
        {me.data && !known(me.data) ? <SignIn /> : me.isError && !me.data ? <Unreachable /> : <Pages />}
      </div>
      <DocumentPanel />
      {help && <KeysDialog onClose={() => setHelp(false)} />}
    </div>
  );
}

function Pages() {
  return (
    <Suspense fallback={<main className="talk"><Waiting error={null} retry={() => undefined} /></main>}>
      <Switch>
        <Route path="/search"><SearchPage /></Route>
        <Route path={DOCUMENT}><DocumentPage /></Route>
        <Route path="/shared/:id">{({ id }) => <SharedPage id={decodeURIComponent(id)} />}</Route>
        <Route path="/tokens"><TokensPage /></Route>
        <Route path="/data"><DataPage /></Route>
        <Route path="/device"><DevicePage /></Route>
        <Route path="/link"><LinkPage /></Route>
        <Route path="/maintain/:tab?">{({ tab }) => <MaintainPage tab={tab ?? "sources"} />}</Route>
        <Route path="/docs"><DocsPage /></Route>
        <Route path={/^\/(?:c\/(?<id>[^/]+))?$/}>
          {(given) => <ConversationPage id={given["id"] ? decodeURIComponent(given["id"]) : null} />}
        </Route>
        <Route path={ANY}><Nowhere /></Route>
      </Switch>
    </Suspense>
  );
}

function Nowhere() {
  const t = useText();
  useEffect(() => {
    document.title = t.app.title;
  }, [t]);
  return <main className="talk" id="talk"><p className="notice">{t.app.nothingHere}</p></main>;
}

/** A link to a place shows the document on its own, with the highlight. */
function DocumentPage() {
  // As the address has it: the router would decode it once more.
  const id = decoded(usePathname().slice("/documents/".length));
  const given = new URLSearchParams(useSearch());
  const [start, end] = [Number.parseInt(given.get("start") ?? "", 10), Number.parseInt(given.get("end") ?? "", 10)];
  return (
    <main className="talk document-page" id="talk">
      <FetchedDocument id={id} quote={end > start ? { start, end } : null} alone />
    </main>
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function SignIn() {
  const t = useText();
  const me = useMe();
  useEffect(keepCode, []);
  return (
    <main className="talk" id="talk">
      <section className="welcome">
        <h1>{t.account.signInTitle}</h1>
        <p>{t.account.signInText}</p>
        <p className="actions start"><a className="button primary" href={signInAddress(me.data)}>{t.account.signIn}</a></p>
      </section>
    </main>
  );
}

function Unreachable() {
  const t = useText();
  const me = useMe();
  useEffect(() => {
    const timer = setInterval(() => void me.refetch(), 5000);
    return () => clearInterval(timer);
  }, [me.refetch]);
  return (
    <main className="talk" id="talk">
      <div className="notice trouble" role="alert"><p><strong>{t.empty.unreachable}</strong> {t.empty.retrying}</p></div>
    </main>
  );
}

interface Actions {
  toggle: () => void;
  help: () => void;
  close: () => void;
  step: (by: 1 | -1) => void;
}

function useAppKeys({ toggle, help, close, step }: Actions) {
  const talks = useTalks();
  const [, navigate] = useLocation();
  const [theme, setTheme] = useTheme();
  useKeys({
    help,
    close,
    navigation: toggle,
    next: () => step(1),
    previous: () => step(-1),
    question: () => document.getElementById("question")?.focus(),
    search: () => navigate("/search"),
    theme: () => setTheme(isDark(theme) ? "light" : "dark"),
    fresh: () => {
      if (talks.fresh.turns.length) talks.renew();
      navigate("/");
      requestAnimationFrame(() => document.getElementById("question")?.focus());
    },
  });
}

const isDark = (theme: string) => theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
