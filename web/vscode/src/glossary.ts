// Short forms and what they stand for, as the documents say that the reader may see.

import type { Entry } from "./answer";

const FRESH_MS = 10 * 60_000;
const AGAIN_MS = 60_000;

/** Asks the server seldom, and answers nothing while it is away: a hover is no place for an error. */
export class Glossary {
  private known: ReadonlyMap<string, Entry[]> = new Map();
  private next = 0;
  private asking: Promise<void> | null = null;

  constructor(
    private readonly fetched: () => Promise<Entry[]>,
    private readonly clock: () => number = Date.now,
  ) {}

  /** What a word stands for, or what the parts of an identifier do; most often nothing. */
  async about(word: string): Promise<Entry[]> {
    if (this.clock() >= this.next) {
      this.asking ??= this.learn().finally(() => (this.asking = null));
      await this.asking;
    }
    const whole = this.known.get(word);
    if (whole) return whole;
    const seen = new Set(parts(word).flatMap((part) => this.known.get(part) ?? []));
    return [...seen];
  }

  /** Forget what was learnt: another server, or another reader. */
  forget(): void {
    this.known = new Map();
    this.next = 0;
  }

  private async learn(): Promise<void> {
    try {
      const known = new Map<string, Entry[]>();
      for (const entry of await this.fetched()) known.set(entry.short, [...(known.get(entry.short) ?? []), entry]);
      this.known = known;
      this.next = this.clock() + FRESH_MS;
    } catch {
      this.next = this.clock() + AGAIN_MS;
    }
  }
}

/** The parts of an identifier that may be short forms: `applyGRLFilter` has GRL, `grl_path` has it too. */
export function parts(word: string): string[] {
  const pieces = word.split(/[^\p{L}\p{N}]+/u).flatMap((piece) =>
    piece.split(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u));
  // In `grl_path` a short form is written small; the word "it" alone is none.
  return pieces.filter((piece) => piece.length > 1).flatMap((piece) =>
    word.includes("_") && piece !== piece.toUpperCase() ? [piece, piece.toUpperCase()] : [piece]);
}
