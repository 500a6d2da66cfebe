// Conversations as this tab knows them, and the answers being written in them. They live outside
// of what is shown, so that looking at another conversation does not stop an answer.

import { type Answer, api, type Ask, type Conversation, type Feedback, type Filter, type Hit, type Message, Problem } from "../api";
import { tab } from "../prefs";
import { ask as askServer, type Event } from "../stream";

/** `stopped` was by the reader, here; `cut` is an answer that was stored before it was complete. */
export type Phase = "looking" | "queued" | "reading" | "writing" | "done" | "stopped" | "cut" | "failed";

export interface Turn {
  key: number;
  question: string;
  questionId: string | null;
  answerId: string | null;
  phase: Phase;
  place: number;
  passages: Hit[];
  draft: string;
  answer: Answer | null;
  /** What the reader has said about the answer. */
  feedback: Feedback | null;
  error: unknown;
  resuming: boolean;
}

export interface Talk {
  readonly key: number;
  id: string | null;
  title: string;
  shareId: string | null;
  turns: readonly Turn[];
  state: "ready" | "loading" | "failed";
  error: unknown;
  running: boolean;
}

type Asker = (given: Ask & { history?: unknown }, options: { signal: AbortSignal }) => AsyncGenerator<Event>;

const HISTORY_TURNS = 10;
const HISTORY_CHARS = 1500;
const UNSENT = "unsent";

let keys = 0;

export class Talks {
  private readonly byId = new Map<string, Talk>();
  private fresh_: Talk;
  private readonly listeners = new Set<() => void>();
  private readonly running = new Map<number, { abort: AbortController; stream: string }>();
  private frame = 0;
  /** Grows with every change: what React compares. */
  version = 0;
  /** Called when a conversation is new or has another title. */
  onChange: () => void = () => undefined;

  constructor(
    private readonly asker: Asker = askServer,
    private readonly later: (run: () => void) => number = (run) => window.setTimeout(run, 40),
  ) {
    this.fresh_ = blank();
    this.restore();
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The conversation that is not yet one. */
  get fresh(): Talk {
    return this.fresh_;
  }

  /** The conversation of an id, fetched where it is not known yet. */
  get(id: string): Talk {
    const known = this.byId.get(id);
    if (known) return known;
    const talk: Talk = { ...blank(), id, state: "loading" };
    this.byId.set(id, talk);
    void this.load(talk);
    return talk;
  }

  async load(talk: Talk): Promise<void> {
    const id = talk.id!;
    try {
      const told = await api.conversation(id);
      const turns = withKept(turnsOf(told.messages), talk.turns);
      this.put(talk, { ...contentOf(told), turns, state: "ready", error: null });
    } catch (error) {
      this.put(talk, { state: "failed", error });
    }
  }

  /** Begin anew; an answer that is being written in the former conversation goes on. */
  renew(): void {
    this.fresh_ = blank();
    this.changed();
  }

  forget(id: string): void {
    const talk = this.byId.get(id);
    if (talk) void this.stop(talk);
    this.byId.delete(id);
    this.changed();
  }

  retitle(id: string, changes: { title?: string; shareId?: string | null }): void {
    const talk = this.byId.get(id);
    if (talk) this.put(talk, changes);
  }

  /** Ask in a conversation. With `instead`, that turn and what follows it are replaced. */
  async ask(talk: Talk, question: string, filter: Filter, instead: Turn | null = null): Promise<void> {
    if (talk.running) return;
    const before = instead ? talk.turns.slice(0, talk.turns.indexOf(instead)) : talk.turns;
    const given: Ask & { history?: unknown } = { question };
    if (talk.id) given.conversation_id = talk.id;
    else if (before.length) given.history = historyOf(before);
    if (talk.id && instead?.questionId) given.replaces = instead.questionId;
    if (Object.values(filter).some((value) => (Array.isArray(value) ? value.length : value))) given.filter = filter;
    const turn = turnFor(question);
    const abort = new AbortController();
    this.running.set(talk.key, { abort, stream: "" });
    this.put(talk, { turns: [...before, turn], running: true });
    try {
      for await (const event of this.asker(given, { signal: abort.signal })) this.happened(talk, turn, event);
      if (turn.phase !== "done" && turn.phase !== "failed") this.fail(turn, new Problem(0, ""));
    } catch (error) {
      if (abort.signal.aborted) this.change(turn, { phase: "stopped" });
      else this.fail(turn, error);
    } finally {
      this.running.delete(talk.key);
      this.remember(talk, turn);
      this.put(talk, { running: false });
      this.onChange();
    }
  }

  /** Stop the answer that is being written: here, and the model. */
  async stop(talk: Talk): Promise<void> {
    const running = this.running.get(talk.key);
    if (!running) return;
    running.abort.abort();
    // The server stops by itself when nobody reads; this makes it now.
    if (running.stream) await api.stop(running.stream).catch(() => undefined);
  }

  private happened(talk: Talk, turn: Turn, event: Event): void {
    switch (event.name) {
      case "stream":
        this.named(talk, turn, event.data);
        break;
      case "queued":
        this.change(turn, { phase: "queued", place: event.data.place });
        break;
      case "passages":
        this.change(turn, { phase: "reading", passages: event.data.passages, resuming: false });
        break;
      case "token":
        turn.draft += event.data.text;
        turn.phase = "writing";
        turn.resuming = false;
        this.soon();
        break;
      case "answer":
        this.change(turn, { phase: "done", answer: event.data, answerId: event.data.message_id ?? turn.answerId, draft: "", resuming: false });
        break;
      case "error":
        this.fail(turn, new Problem(event.data.status, event.data.detail));
        break;
      case "resuming":
        this.change(turn, { resuming: true });
    }
  }

  private named(talk: Talk, turn: Turn, told: { stream_id: string; conversation_id: string | null; question_id: string | null; answer_id: string | null }): void {
    const running = this.running.get(talk.key);
    if (running) running.stream = told.stream_id;
    turn.questionId = told.question_id;
    turn.answerId = told.answer_id;
    if (told.conversation_id && talk.id === null) {
      talk.id = told.conversation_id;
      talk.title = turn.question;
      this.byId.set(talk.id, talk);
      this.onChange();
    }
    this.changed();
  }

  private fail(turn: Turn, error: unknown): void {
    this.change(turn, { phase: "failed", error, resuming: false });
  }

  private change(turn: Turn, changes: Partial<Turn>): void {
    Object.assign(turn, changes);
    this.changed();
  }

  private put(talk: Talk, changes: Partial<Talk>): void {
    Object.assign(talk, changes);
    this.changed();
  }

  // Tokens come faster than a page need be drawn.
  private soon(): void {
    if (this.frame) return;
    this.frame = this.later(() => {
      this.frame = 0;
      this.changed();
    });
  }

  private changed(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }

  // Signing in leaves the page: question and answer so far wait in this tab.
  private remember(talk: Talk, turn: Turn): void {
    const expired = turn.error instanceof Problem && turn.error.status === 401;
    if (expired) tab.set(UNSENT, JSON.stringify({ id: talk.id, question: turn.question, questionId: turn.questionId, draft: turn.draft }));
  }

  private restore(): void {
    const kept = tab.get(UNSENT);
    if (!kept) return;
    tab.set(UNSENT, "");
    const { id, question, questionId, draft } = JSON.parse(kept) as Pick<Turn, "question" | "questionId" | "draft"> & { id: string | null };
    const turn: Turn = { ...turnFor(question), questionId, phase: "failed", draft, error: new Problem(0, RESTORED) };
    const talk = id ? this.get(id) : this.fresh_;
    talk.turns = [turn];
  }
}

const blank = (): Talk => ({
  key: (keys += 1), id: null, title: "", shareId: null, turns: [], state: "ready", error: null, running: false,
});

const turnFor = (question: string): Turn => ({
  key: (keys += 1), question, questionId: null, answerId: null, phase: "looking", place: 0,
  passages: [], draft: "", answer: null, feedback: null, error: null, resuming: false,
});

const RESTORED = "restored";

/** Whether the answer of a turn ended with the sign-in, and waited in this tab for the next one. */
export const isRestored = (turn: Turn) => turn.error instanceof Problem && turn.error.message === RESTORED;

const contentOf = (told: Conversation) => ({ title: told.title, shareId: told.share_id ?? null });

/** Stored messages as turns: a question and what came of it. */
export function turnsOf(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === "user") {
      turns.push({ ...turnFor(message.text), questionId: message.id, phase: "cut" });
      continue;
    }
    const turn = turns.at(-1);
    if (!turn) continue;
    turn.answerId = message.id;
    turn.feedback = message.feedback ?? null;
    if (message.answer) Object.assign(turn, { answer: message.answer, phase: "done" });
    else turn.draft = message.text;
  }
  return turns;
}

/** Stored turns, and what failed here. A question that did reach the server stands there already. */
export function withKept(stored: Turn[], kept: readonly Turn[]): Turn[] {
  const turns = [...stored];
  for (const turn of kept.filter((it) => it.phase === "failed")) {
    const same = stored.find((it) => it.questionId !== null && it.questionId === turn.questionId);
    if (!same) turns.push(turn);
    else if (!same.answer) {
      if (same.draft.length < turn.draft.length) same.draft = turn.draft;
      // Why it ended is known here only: the sign-in had.
      same.error = turn.error;
    }
  }
  return turns;
}

function historyOf(turns: readonly Turn[]) {
  return turns
    .filter((turn) => turn.answer)
    .flatMap((turn) => [
      { role: "user", content: turn.question.slice(0, HISTORY_CHARS) },
      { role: "assistant", content: turn.answer!.answer.slice(0, HISTORY_CHARS) },
    ])
    .slice(-HISTORY_TURNS);
}
