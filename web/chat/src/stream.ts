// An answer as it is written: server-sent events over POST, taken up again where a cut left them.

import { createParser, type EventSourceMessage } from "eventsource-parser";
import { type Answer, type Ask, type Hit, Problem, request } from "./api";

export type Event =
  | { name: "stream"; data: { stream_id: string; conversation_id: string | null; question_id: string | null; answer_id: string | null } }
  | { name: "queued"; data: { place: number } }
  | { name: "passages"; data: { passages: Hit[] } }
  | { name: "token"; data: { text: string } }
  | { name: "answer"; data: Answer }
  | { name: "error"; data: { status: number; detail: string } }
  | { name: "resuming"; data: Record<string, never> };

const NAMES = new Set(["stream", "queued", "passages", "token", "answer", "error"]);
const TRIES = 5;

interface Given {
  signal: AbortSignal;
  /** Milliseconds before the nth try to go on. */
  pause?: (attempt: number) => number;
}

/** Ask, and yield what happens, over cuts of the network. Ends after `answer` or `error`.
 *
 * Throws a `Problem` where the question is refused, or the stream cannot be taken up again.
 */
export async function* ask(given: Ask, { signal, pause = backOff }: Given): AsyncGenerator<Event> {
  let last = "";
  let stream = "";
  let attempt = 0;
  let response = await open("/api/v1/ask", { method: "POST", body: JSON.stringify(given), signal });
  for (;;) {
    for await (const { event, id } of events(response, signal)) {
      attempt = 0;
      if (id) last = id;
      if (event.name === "stream") stream = event.data.stream_id;
      yield event;
      if (event.name === "answer" || event.name === "error") return;
    }
    // The line was cut in mid-answer. The server goes on writing for a while: catch up with it.
    if (!stream) throw new Problem(0, "");
    yield { name: "resuming", data: {} };
    response = await resumed(stream, last, signal, pause, attempt);
    attempt += 1;
  }
}

async function resumed(
  stream: string, last: string, signal: AbortSignal, pause: (attempt: number) => number, from: number,
): Promise<Response> {
  for (let attempt = from; attempt < TRIES; attempt += 1) {
    await wait(pause(attempt), signal);
    try {
      return await open(`/api/v1/streams/${encodeURIComponent(stream)}`, {
        headers: last ? { "Last-Event-ID": last } : {},
        signal,
      });
    } catch (error) {
      // Anything but "not reached" is an answer: the stream is over, or is not ours.
      if (!(error instanceof Problem) || (error.status !== 0 && error.status < 502)) throw error;
    }
  }
  throw new Problem(0, "");
}

async function open(address: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("Accept", "text/event-stream");
  return request(address, { ...init, headers });
}

async function* events(
  response: Response, signal: AbortSignal,
): AsyncGenerator<{ event: Event; id: string | undefined }> {
  const arrived: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => arrived.push(message) });
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      let piece: ReadableStreamReadResult<Uint8Array>;
      try {
        piece = await reader.read();
      } catch (error) {
        if (signal.aborted) throw error;
        return;
      }
      if (piece.done) return;
      parser.feed(decoder.decode(piece.value, { stream: true }));
      for (const message of arrived.splice(0)) {
        const event = read(message);
        if (event) yield { event, id: message.id };
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function read(message: EventSourceMessage): Event | null {
  if (!message.event || !NAMES.has(message.event)) return null;
  return { name: message.event, data: JSON.parse(message.data) } as Event;
}

const backOff = (attempt: number) => Math.min(8000, 500 * 2 ** attempt);

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(new DOMException("Stopped", "AbortError"));
    }, { once: true });
  });
}
