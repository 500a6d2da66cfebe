// The questions and answers of the panel, as plain data that can be shown; no question is lost.

import type { Answer, Asked, Event } from "./answer";
import { ask } from "./ask";
import { type Connection, Trouble } from "./server";

export type Stage = "waiting" | "asking" | "answered" | "failed" | "stopped";

export interface Turn {
  readonly id: number;
  readonly question: string;
  stage: Stage;
  /** How many questions are before this one on the server; 0 for none. */
  place: number;
  /** What the model has written; nothing of it is checked. */
  draft: string;
  answer: Answer | null;
  trouble: string;
  /** Signing in is the way out. */
  signIn: boolean;
  helpful: boolean | null;
}

export interface Given {
  connect: () => Promise<Connection>;
  keep: () => boolean;
  /** A turn has changed; with `token` in nothing but these characters of its draft. */
  changed: (turn: Turn, token?: string) => void;
  /** The questions that have no answer yet, whenever they change. */
  unanswered: (questions: string[]) => void;
  pause?: (attempt: number) => number;
}

export const CLOSED = "The editor was closed before this was answered. Ask again.";
const MOST_TURNS = 10;
const NOT_FOUND = 404;

/** One conversation. Questions are asked one after the other. */
export class Talk {
  readonly turns: Turn[] = [];
  private conversation = "";
  private base = "";
  private last: Promise<void> = Promise.resolve();
  private count = 0;
  private readonly stops = new Map<number, AbortController>();

  /** `unanswered`: of the last time that the editor was open. */
  constructor(private readonly given: Given, unanswered: readonly string[] = []) {
    for (const question of unanswered) Object.assign(this.begun(question), { stage: "failed", trouble: CLOSED });
  }

  /** Ask; gives the turn, and a promise that is kept when it has ended, however it ends. */
  ask(question: string): { turn: Turn; ended: Promise<void> } {
    const turn = this.begun(question);
    return { turn, ended: this.queue(turn) };
  }

  /** Ask once more what has no answer. */
  again(id: number): Promise<void> {
    const turn = this.find(id);
    if (!turn || (turn.stage !== "failed" && turn.stage !== "stopped")) return Promise.resolve();
    return this.queue(turn);
  }

  stop(id: number): void {
    this.stops.get(id)?.abort(new Trouble(0, ""));
    const turn = this.find(id);
    if (turn?.stage !== "waiting") return;
    turn.stage = "stopped";
    this.given.changed(turn);
  }

  find(id: number): Turn | undefined {
    return this.turns.find((turn) => turn.id === id);
  }

  /** Begin anew. What is being answered is stopped. */
  renew(): void {
    for (const id of this.stops.keys()) this.stop(id);
    this.turns.splice(0);
    this.conversation = "";
    this.remember();
  }

  private begun(question: string): Turn {
    const turn: Turn = {
      id: (this.count += 1), question, stage: "waiting", place: 0, draft: "", answer: null, trouble: "", signIn: false,
      helpful: null,
    };
    this.turns.push(turn);
    return turn;
  }

  private queue(turn: Turn): Promise<void> {
    const stop = new AbortController();
    this.stops.set(turn.id, stop);
    Object.assign(turn, { stage: "waiting", place: 0, draft: "", trouble: "", signIn: false });
    this.given.changed(turn);
    this.remember();
    this.last = this.last.then(() => this.run(turn, stop.signal));
    return this.last;
  }

  private async run(turn: Turn, signal: AbortSignal): Promise<void> {
    try {
      signal.throwIfAborted();
      turn.stage = "asking";
      this.given.changed(turn);
      await this.answered(turn, signal);
    } catch (error) {
      this.failed(turn, error, signal);
    }
    this.stops.delete(turn.id);
    this.given.changed(turn);
    this.remember();
  }

  private async answered(turn: Turn, signal: AbortSignal): Promise<void> {
    const to = await this.given.connect();
    // A conversation of one server is none of another.
    if (this.base !== to.base) this.conversation = "";
    this.base = to.base;
    try {
      await this.follow(turn, to, signal);
    } catch (error) {
      // The conversation was erased meanwhile: the question begins another.
      if (!(error instanceof Trouble && error.status === NOT_FOUND && this.conversation && !turn.draft)) throw error;
      this.conversation = "";
      await this.follow(turn, to, signal);
    }
  }

  private async follow(turn: Turn, to: Connection, signal: AbortSignal): Promise<void> {
    const { pause } = this.given;
    for await (const event of ask(to, this.body(turn), { signal, ...(pause && { pause }) })) this.take(turn, event);
  }

  private body(turn: Turn): Asked {
    const { question } = turn;
    if (this.given.keep()) return this.conversation ? { question, conversation_id: this.conversation } : { question };
    const history = this.turns.filter((one) => one.answer && one !== turn).slice(-MOST_TURNS).flatMap((one) => [
      { role: "user" as const, content: one.question },
      { role: "assistant" as const, content: one.answer!.answer },
    ]);
    return { question, keep: false, history };
  }

  private take(turn: Turn, event: Event): void {
    if (event.name === "error") throw new Trouble(event.data.status, event.data.detail);
    if (event.name === "token") {
      turn.draft += event.data.text;
      this.given.changed(turn, event.data.text);
      return;
    }
    if (event.name === "queued") turn.place = event.data.place;
    if (event.name === "passages") turn.place = 0;
    if (event.name === "answer") {
      Object.assign(turn, { stage: "answered", answer: event.data, draft: "", place: 0 });
      this.conversation = event.data.conversation_id ?? "";
    }
    this.given.changed(turn);
  }

  private failed(turn: Turn, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) {
      turn.stage = "stopped";
      return;
    }
    turn.stage = "failed";
    turn.trouble = error instanceof Error ? error.message : String(error);
    turn.signIn = error instanceof Trouble && error.status === 401;
  }

  private remember(): void {
    const open = this.turns.filter((turn) => turn.stage !== "answered" && turn.stage !== "stopped");
    this.given.unanswered(open.map((turn) => turn.question));
  }
}
