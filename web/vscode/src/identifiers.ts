// Names that the documents know, such as `L1_MU4`: what a page says where it has one.

import type { Passage } from "./answer";

const FRESH_MS = 10 * 60_000;
const AGAIN_MS = 60_000;
const MOST = 200;
const LONGEST = 80;
const AROUND = 140;

/** A page that has a name, and what stands around it there. */
export interface Named {
  title: string;
  url: string;
  text: string;
}

/** Asks for each name once in a while, and answers nothing while the server is away. */
export class Identifiers {
  private readonly known = new Map<string, { until: number; named: Named | null }>();
  private next = 0;

  constructor(
    private readonly searched: (name: string) => Promise<Passage[]>,
    private readonly clock: () => number = Date.now,
  ) {}

  /** The best page that has this very name; most words are no names, and are not asked for. */
  async about(word: string): Promise<Named | null> {
    if (!isName(word)) return null;
    const now = this.clock();
    const known = this.known.get(word);
    if (known && now < known.until) return known.named;
    if (now < this.next) return null;
    try {
      const named = namedIn(word, await this.searched(word));
      this.known.delete(word);
      this.known.set(word, { until: now + FRESH_MS, named });
      if (this.known.size > MOST) this.known.delete(this.known.keys().next().value!);
      return named;
    } catch {
      // Away, too often, or not signed in: a hover is no place to say so.
      this.next = now + AGAIN_MS;
      return null;
    }
  }

  /** Forget what was learnt: another server, or another reader. */
  forget(): void {
    this.known.clear();
    this.next = 0;
  }
}

/** Whether a word looks like a name that a collaboration gives: capitals, and digits or underscores. */
export const isName = (word: string): boolean =>
  word.length > 3 && word.length <= LONGEST && /^[A-Za-z]/.test(word) && /[A-Z]/.test(word) && /[\d_]/.test(word);

function namedIn(word: string, passages: readonly Passage[]): Named | null {
  const whole = new RegExp(`(?<![\\p{L}\\p{N}_])${word}(?![\\p{L}\\p{N}_])`, "u");
  for (const { title, url, text } of passages) {
    const line = text.replace(/\s+/g, " ");
    const at = line.search(whole);
    if (at >= 0) return { title, url, text: excerpt(line, at, at + word.length) };
  }
  return null;
}

// Cut between words; of a word that is longer than all that is shown, the name alone.
function excerpt(line: string, from: number, to: number): string {
  const before = line.indexOf(" ", from - AROUND);
  const after = line.lastIndexOf(" ", to + AROUND);
  const begin = from <= AROUND ? 0 : before < 0 || before > from ? from : before + 1;
  const end = to + AROUND >= line.length ? line.length : Math.max(after, to);
  return `${begin > 0 ? "… " : ""}${line.slice(begin, end)}${end < line.length ? " …" : ""}`;
}
