// The one place that speaks to the server: over the authorities of the system and one more, if the
// settings name it. What goes wrong is a `Trouble` with a sentence for the person who asked.

import { request as overHttp, type IncomingMessage } from "node:http";
import { Agent, request as overHttps } from "node:https";
import { rootCertificates } from "node:tls";

/** The server's heartbeat comes every 15 s; a line that is silent for so long is dead. */
export const SILENT_MS = 60_000;

export interface Connection {
  /** Such as `https://docent.example.org`, without a slash at its end. */
  base: string;
  /** Certificates (PEM) of one more authority; empty for none. */
  ca: string;
  /** An API token; empty for none. */
  token: string;
}

export interface Sending {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  silentMs?: number;
}

/** Something that did not work. `status` is 0 where the server was not reached. */
export class Trouble extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The word of RFC 8628 for what is wrong with a code; empty for anything else. */
    readonly code = "",
  ) {
    super(message);
    this.name = "Trouble";
  }
}

/** The address that somebody set, as requests need it.
 *
 * Throws a `Trouble` where it is none, or where a token would go over the network unencrypted.
 */
export function baseOf(address: string): string {
  let url: URL;
  try {
    url = new URL(address.trim());
  } catch {
    throw new Trouble(0, `The setting docent.server is not an address: "${address}". Write it like https://docent.example.org.`);
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal(url.hostname))) {
    throw new Trouble(0, `The setting docent.server must begin with https:// (http:// only on this machine): "${address}".`);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

const isLocal = (host: string) => host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

/** Send a request; gives the response when its head has come with a status of success.
 *
 * Throws a `Trouble` for everything else. An abort throws the signal's reason.
 */
export async function send(to: Connection, path: string, sending: Sending = {}): Promise<IncomingMessage> {
  const response = await head(to, path, sending);
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  throw await refusal(response, status);
}

/** The JSON that a request is answered with. */
export async function json<T>(to: Connection, path: string, sending: Sending = {}): Promise<T> {
  const text = await whole(await send(to, path, sending));
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Trouble(0, `${to.base} does not answer as Docent does. Look at the setting docent.server.`);
  }
}

function head(to: Connection, path: string, sending: Sending): Promise<IncomingMessage> {
  const { method = "GET", body, signal, silentMs = SILENT_MS } = sending;
  const given = body === undefined ? null : Buffer.from(JSON.stringify(body));
  const headers: Record<string, string | number> = { Accept: "application/json", ...sending.headers };
  if (to.token) headers["Authorization"] = `Bearer ${to.token}`;
  if (given) Object.assign(headers, { "Content-Type": "application/json", "Content-Length": given.length });
  const url = new URL(to.base + path);
  const options = { method, headers, ...(signal && { signal }) };
  return new Promise((done, fail) => {
    const asked = url.protocol === "https:"
      ? overHttps(url, { ...options, ...(to.ca && { agent: trusting(to.ca) }) })
      : overHttp(url, options);
    asked.on("response", done);
    asked.on("error", (error) => fail(signal?.aborted ? signal.reason : unreached(to.base, error)));
    asked.setTimeout(silentMs, () => asked.destroy(new Error("it is silent")));
    asked.end(given);
  });
}

// The editor's own agent would put the system's authorities in the place of these.
const trusting = (ca: string) => new Agent({ ca: [...rootCertificates, ca] });

const CERTIFICATE = /CERT|SIGN|ISSUER|ALTNAME|SSL|TLS/;

function unreached(base: string, error: NodeJS.ErrnoException): Trouble {
  if (CERTIFICATE.test(error.code ?? "")) {
    return new Trouble(0, `The certificate of ${base} is not trusted (${error.code}). If it is made by an authority of your own, name its file in the setting docent.caFile.`);
  }
  return new Trouble(0, `The server ${base} cannot be reached (${error.code ?? error.message}). Your question is kept: ask again when it is back.`);
}

/** Everything that comes, as text. */
export async function whole(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  try {
    for await (const piece of response) text += piece;
  } catch {
    throw new Trouble(0, "The connection broke in the middle of the answer. Ask again.");
  }
  return text;
}

async function refusal(response: IncomingMessage, status: number): Promise<Trouble> {
  const wait = Number.parseInt(response.headers["retry-after"] ?? "", 10) || 0;
  let told: { detail?: unknown; error?: unknown; error_description?: unknown } = {};
  try {
    told = Object(JSON.parse(await whole(response)));
  } catch {
    // What stands before the server answers with pages of its own.
  }
  const detail = String(told.detail ?? told.error_description ?? "");
  return new Trouble(status, sentence(status, detail, wait), String(told.error ?? ""));
}

function sentence(status: number, detail: string, wait: number): string {
  if (status === 401) return `${detail || "You are not signed in."} Your question is kept: sign in, then ask again.`;
  if (status === 403) return detail || "You may not do that.";
  if (detail) return wait && !/\d+ s\b/.test(detail) ? `${detail} Try again in ${wait} s.` : detail;
  if (status >= 500) return `The server is away (${status}). Your question is kept: ask again when it is back.`;
  return `The server refused that (${status}). Look at the setting docent.server.`;
}
