// The page of the side panel. Every text is put in as text: no markup of an answer is ever read.

import type { Answer, Citation } from "../src/answer";
import type { FromPage, ToPage } from "../src/messages";
import type { Turn } from "../src/talk";

declare function acquireVsCodeApi(): {
  postMessage: (message: FromPage) => void;
  getState: () => { typed?: string } | undefined;
  setState: (state: { typed: string }) => void;
};

const editor = acquireVsCodeApi();
const tell = (message: FromPage) => editor.postMessage(message);
const talk = document.getElementById("talk") as HTMLElement;
const question = document.getElementById("question") as HTMLTextAreaElement;
const who = document.getElementById("who") as HTMLElement;
const form = document.getElementById("ask") as HTMLFormElement;

type Child = Node | string | null | false;

function el(tag: string, name = "", ...children: Child[]): HTMLElement {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children.filter((child): child is Node | string => child !== null && child !== false));
  return made;
}

function button(text: string, name: string, action: () => void, label = ""): HTMLElement {
  const made = el("button", name, text) as HTMLButtonElement;
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

const shown = new Map<number, HTMLElement>();

function show(turn: Turn): void {
  const before = shown.get(turn.id);
  const made = el("article", `turn ${turn.stage}`, el("p", "question", turn.question), ...body(turn));
  shown.set(turn.id, made);
  if (before) before.replaceWith(made);
  else talk.append(made);
  if (!before || talk.lastElementChild === made) made.scrollIntoView({ block: before ? "nearest" : "start" });
}

function body(turn: Turn): Child[] {
  if (turn.answer) return answered(turn, turn.answer);
  const running = turn.stage === "waiting" || turn.stage === "asking";
  return [
    turn.draft !== "" && el("p", "label", running ? "Draft, not yet checked" : "Unfinished draft, not checked"),
    el("p", "draft", turn.draft),
    running && el("p", "state", state(turn), " ", button("Stop", "stop", () => tell({ kind: "stop", id: turn.id }))),
    turn.stage === "stopped" && el("p", "state", "You stopped this answer. "),
    turn.trouble !== "" && alerting(turn.trouble),
    !running && el("p", "actions",
      turn.signIn && button("Sign in", "sign-in", () => tell({ kind: "signIn" })),
      button("Ask again", "again", () => tell({ kind: "again", id: turn.id }))),
  ];
}

function alerting(text: string): HTMLElement {
  const made = el("p", "trouble", text);
  made.setAttribute("role", "alert");
  return made;
}

function state(turn: Turn): string {
  if (turn.stage === "waiting") return "Waiting for the answer before.";
  if (turn.place > 0) return turn.place === 1 ? "One question is before yours." : `${turn.place} questions are before yours.`;
  return turn.draft ? "Writing…" : "Looking into the documents…";
}

function answered(turn: Turn, answer: Answer): Child[] {
  const open = (marker: number) => tell({ kind: "open", id: turn.id, marker });
  return [
    ...answer.notices.map((notice) => el("p", "notice", notice.text, ...markers(notice.citations, open))),
    answer.status === "answered" ? prose(answer, open) : el("p", "checked", answer.answer),
    answer.status === "not_found" && contacts(answer),
    answer.citations.length > 0 && el("ol", "sources", ...answer.citations.map((one) => source(turn, one))),
    answer.message_id !== null && judging(turn),
  ];
}

function prose(answer: Answer, open: (marker: number) => void): HTMLElement {
  const made = el("div", "checked");
  let at = 0;
  for (const sentence of answer.sentences) {
    // The spaces and line breaks between two sentences are those of the answer.
    const found = answer.answer.indexOf(sentence.text, at);
    made.append(found < 0 ? " " : answer.answer.slice(at, found).replace(/[^\s]/g, ""));
    if (found >= 0) at = found + sentence.text.length;
    made.append(el("span", sentence.supported ? "" : "unsupported", sentence.text), ...markers(sentence.citations, open));
    if (!sentence.supported) made.append(el("span", "legend", " (not found in any page)"));
  }
  return made;
}

const markers = (numbers: readonly number[], open: (marker: number) => void) =>
  numbers.map((number) => button(String(number), "marker", () => open(number), `Open source ${number}`));

function source(turn: Turn, one: Citation): HTMLElement {
  const { marker } = one;
  const old = one.standing.superseded_by ? "superseded" : one.standing.archived ? "archived" : "";
  const made = el("li", "cited",
    button(one.title, "title", () => tell({ kind: "open", id: turn.id, marker })),
    one.section.length > 0 && el("span", "where", ` ${one.section.join(" › ")}`),
    old !== "" && el("span", "badge", old),
    el("blockquote", "", one.quote),
    el("p", "actions", button("Insert as comment", "insert", () => tell({ kind: "insert", id: turn.id, marker }), `Insert source ${marker} as comment`)));
  (made as HTMLLIElement).value = marker;
  return made;
}

function contacts(answer: Answer): HTMLElement {
  return el("ul", "contacts", ...answer.contacts.map(({ name, why, url }) => el("li", "",
    /^https?:/i.test(url) ? button(name, "title", () => tell({ kind: "visit", address: url })) : name, why && `: ${why}`)));
}

function judging(turn: Turn): HTMLElement {
  const judge = (helpful: boolean, text: string) => {
    const made = button(text, "judge", () => tell({ kind: "judge", id: turn.id, helpful }));
    made.setAttribute("aria-pressed", String(turn.helpful === helpful));
    return made;
  };
  return el("p", "actions", judge(true, "Helpful"), judge(false, "Not helpful"));
}

function token(id: number, text: string): void {
  const turn = shown.get(id);
  const draft = turn?.querySelector(".draft");
  if (!draft) return;
  if (!draft.textContent) draft.before(el("p", "label", "Draft, not yet checked"));
  draft.append(text);
}

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  if (data.kind === "turn") show(data.turn);
  else if (data.kind === "token") token(data.id, data.text);
  else if (data.kind === "focus") question.focus();
  else if (data.kind === "who") {
    who.replaceChildren(data.text, " ", data.signIn ? button("Sign in", "sign-in", () => tell({ kind: "signIn" })) : "");
  } else {
    shown.clear();
    talk.replaceChildren();
    data.turns.forEach(show);
  }
});

// What is typed outlives that the panel is closed.
question.value = editor.getState()?.typed ?? "";
question.addEventListener("input", () => editor.setState({ typed: question.value }));
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!question.value.trim()) return;
  tell({ kind: "ask", text: question.value });
  question.value = "";
  editor.setState({ typed: "" });
});

tell({ kind: "ready" });
