// What the extension and the page of its panel say to each other.

import type { Turn } from "./talk";

export type ToPage =
  | { kind: "talk"; turns: readonly Turn[] }
  | { kind: "turn"; turn: Turn }
  | { kind: "token"; id: number; text: string }
  | { kind: "who"; text: string; signIn: boolean }
  | { kind: "focus" };

export type FromPage =
  | { kind: "ready" }
  | { kind: "ask"; text: string }
  | { kind: "stop" | "again"; id: number }
  | { kind: "open" | "insert"; id: number; marker: number }
  | { kind: "judge"; id: number; helpful: boolean }
  | { kind: "visit"; address: string }
  | { kind: "signIn" };
