// A question and the events of its answer, taken up again where the network was cut.

import type { IncomingMessage } from "node:http";
import { createParser } from "eventsource-parser";
import type { Asked, Event } from "./answer";
import { type Connection, type Sending, send, Trouble } from "./server";

const NAMES: ReadonlySet<string> = new Set(["stream", "queued", "passages", "token", "answer", "error"]);
const TRIES = 5;
const BROKEN = "The connection broke in the middle of the answer, and the server cannot be reached any more. Your question is kept: ask again when it is back.";

export interface Asking {
  signal: AbortSignal;
  /** Milliseconds before the nth try to go on. */
  pause?: (attempt: number) => number;
  silentMs?: number;
}

/** Ask, and yield what happens. Ends after `answer` or `error`.
 *
 * Throws a `Trouble` where the question is refused, or the answer cannot be taken up again. When
 * the signal is aborted the server is told to stop.
 */
export async function* ask(to: Connection, asked: Asked, asking: Asking): AsyncGenerator<Event> {
  const { signal, pause = backOff } = asking;
  const streaming: Sending = {
    headers: { Accept: "text/event-stream" }, signal, ...(asking.silentMs && { silentMs: asking.silentMs }),
  };
  let stream = "";
  let last = "";
  let response = await send(to, "/api/v1/ask", { ...streaming, method: "POST", body: asked });
  try {
    for (let attempt = 0; ; attempt += 1) {
      for await (const { event, id } of events(response)) {
        attempt = 0;
        last = id || last;
        if (event.name === "stream") stream = event.data.stream_id;
        yield event;
        if (event.name === "answer" || event.name === "error") return;
      }
      signal.throwIfAborted();
      if (!stream) throw new Trouble(0, BROKEN);
      response = await resumed(to, stream, last, streaming, pause, attempt);
    }
  } finally {
    response.destroy();
    if (signal.aborted && stream) await stopped(to, stream);
  }
}

async function resumed(
  to: Connection, stream: string, last: string, streaming: Sending, pause: (attempt: number) => number, from: number,
): Promise<IncomingMessage> {
  for (let attempt = from; attempt < TRIES; attempt += 1) {
    await waited(pause(attempt), streaming.signal!);
    try {
      const headers = { ...streaming.headers, ...(last && { "Last-Event-ID": last }) };
      return await send(to, `/api/v1/streams/${encodeURIComponent(stream)}`, { ...streaming, headers });
    } catch (error) {
      // Anything but "not reached" is an answer: the stream is over, or rights have ended.
      if (!(error instanceof Trouble) || (error.status !== 0 && error.status < 502)) throw error;
    }
  }
  throw new Trouble(0, BROKEN);
}

// Whoever stopped does not wait for it; a server that is away stops by itself.
async function stopped(to: Connection, stream: string): Promise<void> {
  await send(to, `/api/v1/streams/${encodeURIComponent(stream)}`, { method: "DELETE" }).catch(() => undefined);
}

async function* events(response: IncomingMessage): AsyncGenerator<{ event: Event; id: string }> {
  const arrived: { event: Event; id: string }[] = [];
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      if (event && NAMES.has(event)) arrived.push({ event: { name: event, data: JSON.parse(data) } as Event, id: id ?? "" });
    },
  });
  response.setEncoding("utf8");
  try {
    for await (const piece of response) {
      parser.feed(String(piece));
      yield* arrived.splice(0);
    }
  } catch (error) {
    // A cut line ends the events; a server that sends no JSON is another matter.
    if (error instanceof SyntaxError) throw new Trouble(0, `${response.url ?? "The server"} does not answer as Docent does.`);
  }
}

const backOff = (attempt: number) => Math.min(8000, 500 * 2 ** attempt);

/** Returns after so many milliseconds; an abort throws its reason at once. */
export function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const aborted = () => {
      clearTimeout(timer);
      fail(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      done();
    }, ms);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}
