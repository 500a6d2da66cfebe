// Sentences of a checked answer inside its Markdown: where each begins and ends survives parsing
// as characters that no text may hold, and is turned into marked spans and citation numbers.

import type { Element, ElementContent, Root, RootContent, Text } from "hast";
import type { Answer, Sentence } from "../api";

// Private-use characters: begin, a digit of the number (sixteen of them), the end of the number, end.
const BEGIN = "\uE000";
const END = "\uE001";
const STOP = "\uE002";
const DIGIT = 0xe010;
const RESERVED = /[\uE000-\uE02F]/g;
const TOKEN = /\uE000([\uE010-\uE01F]+)\uE002|\uE001/g;

const encode = (index: number) =>
  [...index.toString(16)].map((digit) => String.fromCharCode(DIGIT + Number.parseInt(digit, 16))).join("");
const decode = (digits: string) =>
  Number.parseInt([...digits].map((digit) => (digit.charCodeAt(0) - DIGIT).toString(16)).join(""), 16);

/** Text of others without the characters that we use ourselves. */
export const clean = (text: string) => text.replace(RESERVED, "");

const LEAD = /^\s*(?:(?:[-*+•–]|\d{1,3}[.)]|#{1,6}|>)\s+|\|\s*)+/;
const ITEM = /^\s*(?:[-*+•–]|\d{1,3}[.)])\s+/;
const ROW = /^\s*\|.*\|\s*$/;
const RULE = /^[\s|:-]+$/;

/** An answer as Markdown whose sentences are marked. */
export function marked(answer: Pick<Answer, "answer" | "sentences">): string {
  const text = clean(answer.answer);
  let at = 0;
  let out = "";
  answer.sentences.forEach((sentence, index) => {
    const wanted = clean(sentence.text);
    const found = text.indexOf(wanted, at);
    // A sentence that the text does not hold is shown all the same, after what was shown.
    const gap = found < 0 ? " " : text.slice(at, found);
    if (found >= 0) at = found + wanted.length;
    const between = out ? joint(gap, out, wanted) : "";
    out += between + wrapped(wanted, index);
    if (ROW.test(wanted) && between !== "\n" && !isRule(answer.sentences[index + 1])) out += rule(wanted);
  });
  return formulas(out);
}

// The answer's lines stand alone: a single line break, which Markdown would run together, is a
// paragraph, but not between the items of a list or the rows of a table.
function joint(gap: string, before: string, next: string): string {
  if (!gap.includes("\n")) return " ";
  const last = before.slice(before.lastIndexOf("\n") + 1).replace(TOKEN, "");
  const together = (ITEM.test(last) && ITEM.test(next)) || (ROW.test(last) && ROW.test(next));
  return together ? "\n" : "\n\n";
}

// The check keeps sentences, and the line under a table's header is none.
const isRule = (next: Sentence | undefined) => next !== undefined && RULE.test(next.text);
const rule = (header: string) => `\n${header.trim().replace(/[^|]+/g, "---")}`;

function wrapped(text: string, index: number): string {
  if (RULE.test(text)) return text;
  const lead = LEAD.exec(text)?.[0] ?? "";
  const tail = ROW.test(text) ? /\s*\|\s*$/.exec(text)![0] : "";
  const body = text.slice(lead.length, text.length - tail.length).replace(/^•|^–/, "-");
  return `${lead.replace(/[•–]/, "-")}${BEGIN}${encode(index)}${STOP}${body}${END}${tail}`;
}

/** `\(…\)` and `\[…\]`, which models write, as the dollars that the parser knows. */
export function formulas(text: string): string {
  return text
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, inner: string) => `$$${inner}$$`)
    .replace(/\\\((.+?)\\\)/g, (_, inner: string) => `$${inner}$`);
}

/** Turns the marks into `<span data-sentence>` and, after each sentence, `<cite data-sentence>`. */
export function rehypeSentences() {
  return (tree: Root) => {
    const state = { open: -1 };
    tree.children = walk(tree.children as ElementContent[], state) as RootContent[];
  };
}

interface State {
  open: number;
}

function walk(nodes: ElementContent[], state: State): ElementContent[] {
  return nodes.flatMap((node): ElementContent[] => {
    if (node.type === "text") return pieces(node.value, state);
    // HTML in an answer is what somebody wrote: text, to be read and not to be run.
    if (node.type !== "element") return "value" in node ? pieces(String(node.value), state) : [];
    if (node.tagName === "code") return code(node, state);
    node.children = walk(node.children, state);
    return [node];
  });
}

function pieces(value: string, state: State): ElementContent[] {
  const out: ElementContent[] = [];
  let at = 0;
  const text = (until: number) => {
    const part = value.slice(at, until).replace(RESERVED, "");
    if (part) out.push(state.open < 0 || !part.trim() ? { type: "text", value: part } : span(state.open, part));
  };
  for (const token of value.matchAll(TOKEN)) {
    text(token.index);
    at = token.index + token[0].length;
    apply(token, state, out);
  }
  text(value.length);
  return out;
}

function apply(token: RegExpMatchArray, state: State, out: ElementContent[]): void {
  if (token[1]) {
    state.open = decode(token[1]);
  } else if (state.open >= 0) {
    out.push({ type: "element", tagName: "cite", properties: { dataSentence: state.open }, children: [] });
    state.open = -1;
  }
}

// Inside code and formulas nothing may be put between the letters: the numbers follow behind it.
function code(node: Element, state: State): ElementContent[] {
  const value = textOf(node);
  const after: ElementContent[] = [];
  const within = state.open;
  for (const token of value.matchAll(TOKEN)) apply(token, state, after);
  const bare = value.replace(RESERVED, "");
  node.children = [{ type: "text", value: bare } satisfies Text];
  if (within >= 0) node.properties["dataSentence"] = within;
  return [node, ...after];
}

function textOf(node: Element): string {
  return node.children.map((child) => (child.type === "text" ? child.value : child.type === "element" ? textOf(child) : "")).join("");
}

const span = (index: number, value: string): Element => ({
  type: "element",
  tagName: "span",
  properties: { dataSentence: index },
  children: [{ type: "text", value }],
});

/** The sentences that rest on no page, by number. */
export const unsupported = (sentences: readonly Sentence[]) =>
  sentences.flatMap((sentence, index) => (sentence.supported ? [] : [index]));
