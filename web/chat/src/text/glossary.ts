// Acronyms of the collaboration in an answer: the first of each is explained on hover and focus.

import type { ElementContent, Root, RootContent } from "hast";
import type { GlossaryEntry } from "../api";

export type Glossary = ReadonlyMap<string, string>;

/** Long forms by short form; one with several meanings tells them all. */
export function glossaryOf(entries: readonly GlossaryEntry[]): Glossary {
  const found = new Map<string, string[]>();
  for (const { short, long } of entries) {
    const meanings = found.get(short) ?? [];
    if (!meanings.includes(long)) meanings.push(long);
    found.set(short, meanings);
  }
  return new Map([...found].map(([short, longs]) => [short, longs.join("; ")]));
}

const WORD = /[\p{L}\p{N}]+(?:[&/+-][\p{L}\p{N}]+)*/gu;
const LEFT_ALONE = new Set(["code", "pre", "a", "cite"]);

/** Wraps the first use of each known acronym into `<abbr title>`. */
export function rehypeGlossary(glossary: Glossary) {
  return (tree: Root) => {
    if (glossary.size) tree.children = walk(tree.children as ElementContent[], glossary, new Set()) as RootContent[];
  };
}

function walk(nodes: ElementContent[], glossary: Glossary, seen: Set<string>): ElementContent[] {
  return nodes.flatMap((node): ElementContent[] => {
    if (node.type === "text") return explained(node.value, glossary, seen);
    if (node.type === "element" && !LEFT_ALONE.has(node.tagName)) node.children = walk(node.children, glossary, seen);
    return [node];
  });
}

function explained(value: string, glossary: Glossary, seen: Set<string>): ElementContent[] {
  const out: ElementContent[] = [];
  let at = 0;
  for (const { 0: word, index } of value.matchAll(WORD)) {
    const long = glossary.get(word);
    if (long === undefined || seen.has(word)) continue;
    seen.add(word);
    if (index > at) out.push({ type: "text", value: value.slice(at, index) });
    out.push({ type: "element", tagName: "abbr", properties: { title: long }, children: [{ type: "text", value: word }] });
    at = index + word.length;
  }
  if (at < value.length) out.push({ type: "text", value: value.slice(at) });
  return out;
}
