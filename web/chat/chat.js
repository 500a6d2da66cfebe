// The page: one conversation, one panel beside it. A link to /documents/… shows a document alone.

import { el, dotted, path } from "./dom.js";
import { Trouble, ask, get } from "./client.js";
import { Turn } from "./answer.js";
import { documentView, showQuote } from "./document.js";

// What goes back with a follow-up: enough to know what "it" is, small enough for the server's limits.
const HISTORY_TURNS = 10;
const HISTORY_CHARS = 1500;

const $ = (id) => document.getElementById(id);
const [form, question, send, stop, turns, panel, tip, news] =
  ["ask", "question", "send", "stop", "turns", "panel", "tip", "news"].map($);
const narrow = matchMedia("(max-width: 60rem)");

let history = [];
let running = null; // the AbortController of the question being answered
let opener = null; // what the focus goes back to when the panel closes

const announce = (text) => { news.textContent = text; };

// The conversation

async function answer(text) {
  if (running) return;
  running = new AbortController();
  const { signal } = running;
  const turn = new Turn(text);
  $("welcome").hidden = true;
  $("fresh").hidden = false;
  turns.append(turn.element);
  turn.element.scrollIntoView({ block: "start" });
  setBusy(true);
  announce("Looking for pages.");
  try {
    await follow(turn, text, signal);
  } catch (error) {
    fail(turn, text, signal, error);
  } finally {
    if (running?.signal === signal) {
      running = null;
      setBusy(false);
    }
  }
}

async function follow(turn, text, signal) {
  for await (const { event, data } of ask(text, history, signal)) {
    if (event === "passages") {
      const pages = turn.passages(data.passages);
      announce(`Reading ${pages === 1 ? "one page" : `${pages} pages`}.`);
    } else if (event === "token") {
      turn.token(data.text);
    } else if (event === "answer") {
      turn.answer(data);
      remember(text, data);
      announce(`${data.answer} ${data.citations.length} sources.`);
      return;
    } else if (event === "error") {
      throw new Trouble(data.detail);
    }
  }
  throw new Trouble("The connection was lost before the answer was complete.");
}

function fail(turn, text, signal, error) {
  if (!turn.element.isConnected) return;
  if (signal.aborted) {
    turn.fail("You stopped this answer.", null);
    announce("Stopped.");
    return;
  }
  const sentence = error instanceof Trouble ? error.message : "This page ran into an error. Reload it and ask again.";
  if (!(error instanceof Trouble)) console.error(error);
  const retry = el("button", { type: "button", class: "quiet" }, "Ask again");
  retry.addEventListener("click", () => {
    if (running) return;
    turn.element.remove();
    answer(text);
  });
  turn.fail(sentence, retry);
  announce(sentence);
}

function remember(text, data) {
  history.push({ role: "user", content: text.slice(0, HISTORY_CHARS) });
  history.push({ role: "assistant", content: data.answer.slice(0, HISTORY_CHARS) });
  history = history.slice(-HISTORY_TURNS);
}

function setBusy(busy) {
  const stopHadFocus = document.activeElement === stop;
  send.hidden = busy;
  stop.hidden = !busy;
  if (!busy && stopHadFocus) question.focus();
}

function grow() {
  question.style.height = "auto";
  question.style.height = `${question.scrollHeight}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (!text || running) return;
  question.value = "";
  grow();
  answer(text);
});

question.addEventListener("input", grow);
question.addEventListener("keydown", (event) => {
  // While a word is being composed, Enter belongs to the input method.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

stop.addEventListener("click", () => running?.abort());

$("fresh").addEventListener("click", () => {
  running?.abort();
  running = null;
  setBusy(false);
  history = [];
  turns.replaceChildren();
  closePanel();
  $("welcome").hidden = false;
  $("fresh").hidden = true;
  question.focus();
});

// The panel

async function openPanel(link) {
  hideTip();
  opener = link;
  const { document_id: id, start, end } = link.citation;
  await showDocument(id, { start, end }, (children) => {
    const close = el("button", { type: "button", class: "quiet close" }, "Close");
    close.addEventListener("click", closePanel);
    panel.replaceChildren(close, ...children);
    panel.hidden = false;
    document.body.classList.add("with-panel");
    setBackgroundInert(narrow.matches);
  });
}

async function showDocument(id, quote, show, options) {
  let children;
  try {
    children = documentView(await get(`/api/v1/documents/${encodeURIComponent(id)}`), quote, options);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    children = [el("h2", { id: "panel-title", tabindex: "-1" }, "Not to be shown"), el("p", { class: "notice" }, error.message)];
  }
  show(children);
  $("panel-title").focus({ preventScroll: true });
  showQuote(panel);
}

function closePanel() {
  if (panel.hidden) return;
  panel.hidden = true;
  panel.replaceChildren();
  document.body.classList.remove("with-panel");
  setBackgroundInert(false);
  if (opener?.isConnected) opener.focus();
  else question.focus();
}

function setBackgroundInert(inert) {
  // On a phone the panel covers the conversation, which must not take the focus from under it.
  for (const part of [$("talk"), form, document.querySelector(".top")]) part.inert = inert;
}

narrow.addEventListener("change", () => setBackgroundInert(narrow.matches && !panel.hidden && !document.body.classList.contains("alone")));

turns.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  // With a modifier it is an ordinary link: a new tab with the document alone.
  if (!link?.citation || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  openPanel(link);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!tip.hidden) hideTip();
  else if (!document.body.classList.contains("alone")) closePanel();
});

// The quote under a marker

function showTip(marker) {
  const { title, section, quote } = marker.citation;
  tip.replaceChildren(el("p", { class: "title" }, dotted(title, path(section))), el("p", { class: "quote" }, quote));
  tip.hidden = false;
  marker.setAttribute("aria-describedby", "tip");
  const at = marker.getBoundingClientRect();
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, Math.min(at.left - 16, room))}px`;
  const below = at.bottom + 6;
  const fits = below + tip.offsetHeight < innerHeight;
  tip.style.top = `${fits ? below : Math.max(8, at.top - tip.offsetHeight - 6)}px`;
}

function hideTip() {
  tip.hidden = true;
  document.querySelector("[aria-describedby=tip]")?.removeAttribute("aria-describedby");
}

const markerOf = (event) => event.target.closest?.(".marker");
for (const type of ["mouseover", "focusin"]) {
  turns.addEventListener(type, (event) => { if (markerOf(event)) showTip(markerOf(event)); });
}
for (const type of ["mouseout", "focusout"]) {
  turns.addEventListener(type, (event) => { if (markerOf(event)) hideTip(); });
}
addEventListener("scroll", hideTip, { passive: true });

// Beginning

async function welcome() {
  const [health, { suggestions }] = await Promise.all([get("/api/v1/health"), get("/api/v1/suggestions")]);
  $("standing").textContent = dotted(
    `${health.documents.toLocaleString("en")} documents`, health.model || "no model: extracts only");
  $("suggestions").replaceChildren(...suggestions.map((text) => {
    const button = el("button", { type: "button" }, text);
    button.addEventListener("click", () => answer(text));
    return el("li", {}, button);
  }));
}

function showAlone(id) {
  const number = (name) => Number.parseInt(new URLSearchParams(location.search).get(name), 10);
  const [start, end] = [number("start"), number("end")];
  document.body.classList.add("alone");
  $("talk").hidden = true;
  form.hidden = true;
  panel.hidden = false;
  return showDocument(id, end > start ? { start, end } : null, (children) => {
    panel.replaceChildren(...children);
    document.title = `${$("panel-title")?.textContent ?? panel.querySelector("h2").textContent} · Docent`;
  }, { alone: true });
}

const linked = /^\/documents\/(.+)$/.exec(location.pathname);
if (linked) {
  await showAlone(decodeURIComponent(linked[1]));
} else {
  question.focus();
  await welcome().catch((error) => {
    $("standing").textContent = error instanceof Trouble ? error.message : "";
    $("standing").classList.add("trouble");
  });
}
