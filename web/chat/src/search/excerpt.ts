// The stretch of a passage that has most of the searched words, with those marked.

import type { Piece } from "../panel/blocks";

const LONGEST = 320;
const WORD = /[\p{L}\p{N}_]+/gu;

export function excerpt(text: string, words: ReadonlySet<string>, longest = LONGEST): Piece[] {
  const found = [...text.matchAll(WORD)].filter(({ 0: word }) => words.has(word.toLowerCase()));
  const from = begin(text, found.map(({ index }) => index), longest);
  const until = Math.min(text.length, from + longest);
  const pieces: Piece[] = [];
  const put = (part: string, marked: boolean) => part && pieces.push({ text: part, marked });
  if (from > 0) put("… ", false);
  let at = from;
  for (const { 0: word, index } of found) {
    if (index < at || index + word.length > until) continue;
    put(text.slice(at, index), false);
    put(word, true);
    at = index + word.length;
  }
  put(text.slice(at, until), false);
  if (until < text.length) put(" …", false);
  return pieces;
}

// The first place from which most of the words fit; at the start of a word.
function begin(text: string, places: readonly number[], longest: number): number {
  if (text.length <= longest || !places.length) return 0;
  let best = places[0]!;
  let most = 0;
  for (const place of places) {
    const count = places.filter((it) => it >= place && it < place + longest * 0.8).length;
    if (count > most) [best, most] = [place, count];
  }
  const from = Math.max(0, best - 60);
  return from === 0 ? 0 : text.indexOf(" ", from) + 1 || from;
}
