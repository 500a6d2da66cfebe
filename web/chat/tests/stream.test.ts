import { afterEach, expect, test, vi } from "vitest";
import { Problem } from "../src/api";
import { ask, type Event } from "../src/stream";

type Reply = { status?: number; body?: (string | "cut")[]; headers?: Record<string, string>; json?: unknown } | "down";

/** A server that gives one reply after another, and remembers what it was asked. */
function serve(...replies: Reply[]) {
  const asked: { url: string; headers: Headers; method: string }[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    asked.push({ url, headers: new Headers(init.headers), method: init.method ?? "GET" });
    const reply = replies.shift();
    if (reply === undefined || reply === "down") throw new TypeError("network");
    if (reply.json !== undefined) {
      return new Response(JSON.stringify(reply.json), { status: reply.status ?? 200, headers: reply.headers ?? {} });
    }
    const encoder = new TextEncoder();
    const pieces = [...(reply.body ?? [])];
    // One piece a pull, so that an error does not overtake what was sent before it.
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else if (piece === "cut") controller.error(new TypeError("network"));
        else controller.enqueue(encoder.encode(piece));
      },
    }, { highWaterMark: 0 });
    return new Response(stream, { status: reply.status ?? 200 });
  });
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

async function all(signal = new AbortController().signal): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of ask({ question: "?" }, { signal, pause: () => 0 })) events.push(event);
  return events;
}

const STREAM = 'id: s1:1\nevent: stream\ndata: {"stream_id": "s1", "conversation_id": "c"}\n\n';
const TOKEN = 'id: s1:2\nevent: token\ndata: {"text": "The"}\n\n';
const ANSWER = 'id: s1:3\nevent: answer\ndata: {"answer": "The end."}\n\n';

test("events come whole, however the bytes were cut, and heart-beats are nothing", async () => {
  const whole = `: ping\r\n\r\n${STREAM}${TOKEN.replaceAll("\n", "\r\n")}event: token\ndata: {"text": "ü"}\n\n${ANSWER}`;
  const asked = serve({ body: [...whole].map((it) => it) });
  const events = await all();
  expect(events.map((it) => it.name)).toEqual(["stream", "token", "token", "answer"]);
  expect(events[2]).toEqual({ name: "token", data: { text: "ü" } });
  expect(asked[0]!.headers.get("X-Docent")).toBe("1");
  expect(asked[0]!.headers.get("Content-Type")).toBe("application/json");
  expect(asked[0]!.headers.get("Accept")).toBe("text/event-stream");
});

test("a cut in mid-answer is gone on from behind the last event", async () => {
  const asked = serve({ body: [STREAM, TOKEN, "cut"] }, "down", { body: [ANSWER] });
  const events = await all();
  expect(events.map((it) => it.name)).toEqual(["stream", "token", "resuming", "answer"]);
  expect(asked.map((it) => it.url)).toEqual(["/api/v1/ask", "/api/v1/streams/s1", "/api/v1/streams/s1"]);
  expect(asked[2]!.headers.get("Last-Event-ID")).toBe("s1:2");
});

test("a stream that is over is told as the server tells it", async () => {
  serve({ body: [STREAM, "cut"] }, { status: 404, json: { detail: "This answer is over." } });
  await expect(all()).rejects.toThrow("This answer is over.");
});

test("a server that stays away is given up", async () => {
  const asked = serve({ body: [STREAM, "cut"] }, "down", "down", "down", "down", "down");
  await expect(all()).rejects.toMatchObject({ status: 0 });
  expect(asked).toHaveLength(6);
});

test("a refusal carries its sentence and its waiting time", async () => {
  serve({ status: 429, json: { detail: "Too many." }, headers: { "Retry-After": "7" } });
  const trouble = await all().catch((error: unknown) => error);
  expect(trouble).toBeInstanceOf(Problem);
  expect(trouble).toMatchObject({ status: 429, message: "Too many.", retryAfter: 7 });
});

test("an error of the stream ends it without another try", async () => {
  const asked = serve({ body: [STREAM, 'event: error\ndata: {"status": 503, "detail": "Away."}\n\n'] });
  expect((await all()).at(-1)).toEqual({ name: "error", data: { status: 503, detail: "Away." } });
  expect(asked).toHaveLength(1);
});
