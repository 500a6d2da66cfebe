// A server that speaks Docent's HTTP API as its OpenAPI description says, on a real socket, and is as
// strict: unknown fields, a missing token and another's conversation are refused.

import { createServer as overHttp, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as overHttps } from "node:https";
import type { AddressInfo } from "node:net";
import type { Answer, Asked } from "../src/answer";

export const answer = (question: string, more: Partial<Answer> = {}): Answer => ({
  question, status: "answered", answer: "It fires at 4 GeV.",
  sentences: [{ text: "It fires at 4 GeV.", citations: [1], supported: true }],
  citations: [], passages: [], notices: [], contacts: [], conversation_id: null, message_id: null, ...more,
});

type Sent = [name: string, data: unknown];

export class FakeDocent {
  readonly asked: Asked[] = [];
  readonly stopped: string[] = [];
  readonly resumed: string[] = [];
  readonly seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: unknown }[] = [];
  /** The token that is asked for; empty: nobody signs in. */
  token = "";
  /** After so many events the line is cut, once for each number. */
  cuts: number[] = [];
  /** What is answered instead, once each. */
  refusals: { status: number; detail?: string; headers?: Record<string, string>; text?: string }[] = [];
  conversations = new Set<string>();
  /** Answers to polls of a device code, one after the other; then the token. */
  polls: string[] = [];
  /** The next answer waits until this is resolved. */
  hold: Promise<void> | null = null;
  private readonly streams = new Map<string, Sent[]>();
  private server: Server | null = null;

  async start(tls?: { key: string; cert: string }): Promise<string> {
    const handle = (request: IncomingMessage, response: ServerResponse) => void this.handle(request, response);
    this.server = tls ? overHttps(tls, handle) : overHttp(handle);
    await new Promise<void>((done) => this.server!.listen(0, "127.0.0.1", done));
    const { port } = this.server.address() as AddressInfo;
    return tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((done) => this.server?.close(done));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const piece of request) text += piece;
    const { method = "", url = "", headers } = request;
    const body: unknown = text ? JSON.parse(text) : undefined;
    this.seen.push({ method, url, headers, body });
    const refusal = this.refusals.shift();
    if (refusal) return refuse(response, refusal.status, refusal.detail, refusal.headers, refusal.text);
    if (text && headers["content-type"] !== "application/json") return refuse(response, 415, "Send JSON.");
    if (url === "/api/v1/me") return told(response, this.me(headers.authorization));
    if (url === "/auth/device") return told(response, CODE);
    if (url === "/auth/device/token") return this.poll(response, body);
    if (this.token && headers.authorization !== `Bearer ${this.token}`) return refuse(response, 401, "Sign in first.");
    if (url === "/api/v1/glossary") return told(response, { entries: [] });
    if (url === "/api/v1/ask" && method === "POST") return this.ask(response, body as Asked);
    const stream = /^\/api\/v1\/streams\/([\w-]+)$/.exec(url)?.[1] ?? "";
    if (stream && method === "DELETE") {
      this.stopped.push(stream);
      response.writeHead(204).end();
      return;
    }
    if (stream && this.streams.has(stream)) {
      const last = String(headers["last-event-id"] ?? "");
      this.resumed.push(last);
      return this.write(response, stream, Number(last.split(":")[1] ?? 0));
    }
    refuse(response, 404, "There is nothing at this address.");
  }

  private me(authorization = "") {
    const signed = !this.token || authorization === `Bearer ${this.token}`;
    return { name: signed ? "Ines" : "", signed_in: signed, sign_in_url: this.token ? "/auth/login" : "", features: {} };
  }

  private poll(response: ServerResponse, body: unknown): void {
    if ((body as { device_code: string }).device_code !== CODE.device_code) return refuse(response, 400, "Unknown.");
    const error = this.polls.shift();
    if (error === "away") return refuse(response, 502);
    if (error) return refuse(response, 400, "", {}, JSON.stringify({ error, error_description: `No: ${error}.` }));
    told(response, { access_token: this.token, token_type: "Bearer" });
  }

  private ask(response: ServerResponse, body: Asked): void {
    const strange = Object.keys(body).filter((key) => !["question", "conversation_id", "keep", "history"].includes(key));
    if (strange.length || !body.question.trim() || body.question.length > 4000) return refuse(response, 422, `${strange.join()}: not taken.`);
    if (body.conversation_id && (body.history || body.keep === false)) return refuse(response, 422, "Not both.");
    if (body.conversation_id && !this.conversations.has(body.conversation_id)) return refuse(response, 404, "There is no such conversation, or it is not yours.");
    this.asked.push(body);
    const stream = `stream-${this.asked.length}`;
    const conversation = body.keep === false ? null : (body.conversation_id ?? `c${this.asked.length}`);
    if (conversation) this.conversations.add(conversation);
    this.streams.set(stream, [
      ["stream", { stream_id: stream }], ["queued", { place: 1 }], ["passages", { passages: [] }],
      ["token", { text: "It fires " }], ["token", { text: "at 4 GeV." }],
      ["answer", answer(body.question, { conversation_id: conversation, message_id: conversation && `m${this.asked.length}` })],
    ]);
    void this.write(response, stream, 0);
  }

  private async write(response: ServerResponse, stream: string, after: number): Promise<void> {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(": ping\n\n");
    const cut = this.cuts.shift() ?? Infinity;
    const events = this.streams.get(stream)!;
    for (let at = after; at < events.length; at += 1) {
      if (at - after >= cut) return void response.destroy();
      const [name, data] = events[at]!;
      if (name === "answer") {
        const held = this.hold;
        this.hold = null;
        await held;
      }
      await new Promise((done) => response.write(`id: ${stream}:${at + 1}\r\nevent: ${name}\r\ndata: ${JSON.stringify(data)}\r\n\r\n`, done));
    }
    response.end();
  }
}

export const CODE = {
  device_code: "d".repeat(43), user_code: "BCDF-GHJK", verification_uri: "http://127.0.0.1/device", expires_in: 600, interval: 5,
};

function told(response: ServerResponse, data: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(data));
}

function refuse(response: ServerResponse, status: number, detail = "", headers: Record<string, string> = {}, text?: string): void {
  response.writeHead(status, { "Content-Type": "application/problem+json", ...headers });
  response.end(text ?? JSON.stringify({ type: "about:blank", title: "x", status, detail }));
}
