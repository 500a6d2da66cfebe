// What the server gives, as far as the editor shows it.

export interface Standing {
  archived: boolean;
  superseded_by: string;
}

/** Where a text is: in which document, and at which address people read it. */
export interface Place {
  document_id: string;
  title: string;
  url: string;
  source: string;
  section: string[];
}

export interface Citation extends Place {
  marker: number;
  page: number | null;
  quote: string;
  start: number;
  end: number;
  updated_at: string | null;
  standing: Standing;
  also: string[];
}

export interface Passage extends Place {
  text: string;
}

export interface Sentence {
  text: string;
  citations: number[];
  supported: boolean;
}

export interface Answer {
  question: string;
  status: "answered" | "not_found" | "extracts";
  answer: string;
  sentences: Sentence[];
  citations: Citation[];
  passages: Passage[];
  notices: { kind: string; text: string; citations: number[] }[];
  contacts: { name: string; why: string; url: string }[];
  conversation_id: string | null;
  message_id: string | null;
}

export interface Entry {
  short: string;
  long: string;
  sources: { document_id: string; title: string; url: string }[];
}

export interface Me {
  name: string;
  signed_in: boolean;
  sign_in_url: string;
  features: Record<string, boolean>;
}

export interface Asked {
  question: string;
  conversation_id?: string;
  keep?: boolean;
  history?: { role: "user" | "assistant"; content: string }[];
}

/** What the server sends while it answers. */
export type Event =
  | { name: "stream"; data: { stream_id: string } }
  | { name: "queued"; data: { place: number } }
  | { name: "passages"; data: { passages: Passage[] } }
  | { name: "token"; data: { text: string } }
  | { name: "answer"; data: Answer }
  | { name: "error"; data: { status: number; detail: string } };
