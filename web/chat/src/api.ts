// What the server takes and gives, and the one place that asks it. Errors are sentences of its own.

export interface Standing {
  archived: boolean;
  superseded_by: string;
}

export interface Hit {
  document_id: string;
  chunk_id: string;
  title: string;
  url: string;
  source: string;
  section: string[];
  text: string;
  score: number;
  updated_at: string | null;
  standing: Standing;
  also: string[];
  format?: string;
  author?: string;
  page?: number | null;
  start?: number;
  end?: number;
}

export interface Citation {
  marker: number;
  document_id: string;
  title: string;
  url: string;
  source: string;
  section: string[];
  page: number | null;
  quote: string;
  start: number;
  end: number;
  updated_at: string | null;
  standing: Standing;
  also: string[];
}

export interface Sentence {
  text: string;
  citations: number[];
  supported: boolean;
}

export type NoticeKind = "unsure" | "old" | "newer" | "conflict" | "missing";

export interface Notice {
  kind: NoticeKind;
  text: string;
  citations: number[];
}

export interface Contact {
  name: string;
  why: string;
  url: string;
}

export interface Answer {
  question: string;
  status: "answered" | "not_found" | "extracts";
  answer: string;
  sentences: Sentence[];
  citations: Citation[];
  passages: Hit[];
  score: number | null;
  notices: Notice[];
  contacts: Contact[];
  model: string;
  timings: Record<string, number>;
  message_id?: string | null;
  withheld?: boolean;
}

export interface Block {
  kind: "heading" | "prose" | "list" | "table" | "code";
  start: number;
  end: number;
  text: string;
  headings: string[];
  anchor: string;
  page: number | null;
  header_end: number | null;
}

export interface Doc {
  document_id: string;
  title: string;
  url: string;
  source: string;
  format: string;
  author: string;
  updated_at: string | null;
  standing?: Standing;
  blocks: Block[];
}

export interface Filter {
  sources?: string[];
  formats?: string[];
  since?: string | null;
  until?: string | null;
}

export interface FacetValue {
  value: string;
  count: number;
}

export interface Device {
  name: string;
  expires_at: string;
  scopes: string[];
  token_days: number;
}

export interface Linked {
  service: string;
  name: string;
  linked_at: string;
}

export interface LinkAbout {
  service: string;
  name: string;
  expires_at: string;
}

export interface Facets {
  sources: FacetValue[];
  formats: FacetValue[];
  years: FacetValue[];
}

export interface Found {
  hits: Hit[];
  facets: Facets;
  total: number;
}

export type Role = "reader" | "maintainer" | "admin";

export interface Me {
  user_id: string;
  name: string;
  role: Role;
  via: "local" | "session" | "token" | "";
  groups: string[];
  signed_in: boolean;
  sign_in_url: string;
  features: Record<string, boolean>;
}

export interface Health {
  status: string;
  model: string;
  generation: number;
  built_at: string;
  documents: number;
  chunks: number;
  model_state?: "ready" | "loading" | "away" | "none";
}

export interface GlossaryEntry {
  short: string;
  long: string;
}

export interface ConversationLine {
  id: string;
  title: string;
  created_at: string;
  updated_at: string;
  share_id?: string | null;
}

export interface Conversations {
  conversations: ConversationLine[];
  /** What `before` takes to go on. */
  next: string | null;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  text: string;
  withheld: boolean;
  answer: Answer | null;
  created_at: string;
  feedback?: Feedback | null;
}

export interface Conversation extends ConversationLine {
  messages: Message[];
  withheld?: boolean;
}

export interface Feedback {
  helpful: boolean | null;
  wrong_sentences: number[];
  text: string;
  right_page: string;
}

export interface Token {
  id: string;
  name: string;
  scopes: string[];
  created_at: string;
  expires_at: string;
  revoked_at: string | null;
  last_used_at: string | null;
}

export interface Ask {
  question: string;
  conversation_id?: string;
  replaces?: string;
  filter?: Filter;
}

/** What went wrong: the server's own sentence, its status (0: it was not reached). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

const JSON_TYPE = "application/json";

/** A request under the session's cookie. Another site's form cannot set the header `X-Docent`. */
export async function request(address: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has("Accept")) headers.set("Accept", JSON_TYPE);
  if (init.method && init.method !== "GET") {
    headers.set("Content-Type", JSON_TYPE);
    headers.set("X-Docent", "1");
  }
  let response: Response;
  try {
    response = await fetch(address, { ...init, headers, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "");
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<Problem> {
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  let detail = "";
  try {
    const told: unknown = await response.json();
    if (told && typeof told === "object" && "detail" in told) detail = String(told.detail);
  } catch {
    // A proxy in between answers in HTML; the status says enough.
  }
  return new Problem(response.status, detail, Number.isNaN(wait) ? null : wait);
}

async function get<T>(address: string, signal?: AbortSignal): Promise<T> {
  return (await request(address, signal ? { signal } : {})).json() as Promise<T>;
}

async function send<T>(method: string, address: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await request(address, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

const id = encodeURIComponent;
const V1 = "/api/v1";

function query(values: Record<string, string | number | undefined>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") given.set(name, String(value));
  }
  const text = given.toString();
  return text && `?${text}`;
}

export const api = {
  me: () => get<Me>(`${V1}/me`),
  health: () => get<Health>(`${V1}/health`),
  suggestions: async () => (await get<{ suggestions: string[] }>(`${V1}/suggestions`)).suggestions,
  glossary: async () => (await get<{ entries: GlossaryEntry[] }>(`${V1}/glossary`)).entries,
  facets: () => get<Facets>(`${V1}/facets`),
  document: (it: string) => get<Doc>(`${V1}/documents/${id(it)}`),
  search: (
    given: { query: string; k: number; offset: number; filter: Filter },
    signal?: AbortSignal,
  ) => send<Found>("POST", `${V1}/search`, given, signal),

  conversations: (given: { query?: string; before?: string; limit?: number }) =>
    get<Conversations>(`${V1}/conversations${query(given)}`),
  conversation: (it: string) => get<Conversation>(`${V1}/conversations/${id(it)}`),
  rename: (it: string, title: string) => send<unknown>("PATCH", `${V1}/conversations/${id(it)}`, { title }),
  remove: (it: string) => send<unknown>("DELETE", `${V1}/conversations/${id(it)}`),
  exportAddress: (it: string) => `${V1}/conversations/${id(it)}/export`,
  share: async (it: string) => {
    const told = await send<{ share_id: string }>("POST", `${V1}/conversations/${id(it)}/share`, {});
    return told.share_id;
  },
  unshare: (it: string) => send<unknown>("DELETE", `${V1}/conversations/${id(it)}/share`),
  shared: (it: string) => get<Conversation>(`${V1}/shares/${id(it)}`),
  feedback: (message: string, given: Feedback) =>
    send<unknown>("POST", `${V1}/messages/${id(message)}/feedback`, given),
  stop: (stream: string) => send<unknown>("DELETE", `${V1}/streams/${id(stream)}`),

  tokens: async () => (await get<{ tokens: Token[] }>(`${V1}/tokens`)).tokens,
  makeToken: (given: { name: string; scopes: string[]; expires_at: string }) =>
    send<Token & { token: string }>("POST", `${V1}/tokens`, given),
  revokeToken: (it: string) => send<unknown>("DELETE", `${V1}/tokens/${id(it)}`),
  device: (code: string) => send<Device>("POST", `${V1}/devices/about`, { user_code: code }),
  letIn: (code: string, allow: boolean) => send<unknown>("POST", `${V1}/devices`, { user_code: code, allow }),
  links: async () => (await get<{ links: Linked[] }>(`${V1}/links`)).links,
  linkAbout: (code: string) => send<LinkAbout>("POST", `${V1}/links/about`, { code }),
  link: (code: string) => send<Linked>("POST", `${V1}/links`, { code }),
  unlink: (service: string) => send<unknown>("DELETE", `${V1}/links/${id(service)}`),
  accountAddress: `${V1}/account/export`,
  erase: () => send<unknown>("DELETE", `${V1}/account`),
  signOut: () => send<{ url: string }>("POST", "/auth/logout", {}),

  admin: {
    get: <T>(what: string) => get<T>(`${V1}/admin/${what}`),
    run: (source: string) => send<unknown>("POST", `${V1}/admin/sources/${id(source)}/run`, {}),
    publish: (generation: number) =>
      send<unknown>("POST", `${V1}/admin/generations/${generation}/publish`, {}),
    rollback: () => send<unknown>("POST", `${V1}/admin/generations/rollback`, {}),
    settle: (it: string, state: string) => send<unknown>("PATCH", `${V1}/admin/feedback/${id(it)}`, { state }),
    settleGaps: (ids: string[], state: string) => send<unknown>("PATCH", `${V1}/admin/gaps`, { ids, state }),
    judge: (it: string, given: unknown) => send<unknown>("POST", `${V1}/admin/candidates/${id(it)}`, given),
    questionsAddress: `${V1}/admin/questions`,
  },
};

/** Somebody who may ask: signed in, or on a machine of one's own. */
export const known = (me: Me | undefined) => me !== undefined && me.via !== "";

/** Where to sign in, and to come back to this very place. */
export function signInAddress(me: Me | undefined): string {
  const address = me?.sign_in_url || "/auth/login";
  const here = location.pathname + location.search;
  return `${address}${address.includes("?") ? "&" : "?"}next=${encodeURIComponent(here)}`;
}
