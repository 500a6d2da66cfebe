// A quote as a comment of the language that is written in, with where it is from.

import type { Citation } from "./answer";

interface Style {
  line?: string;
  open?: string;
  close?: string;
}

const STYLES: readonly [Style, string][] = [
  [{ line: "#" }, "python shellscript yaml ruby perl r julia makefile dockerfile toml cmake coffeescript elixir powershell tcl gnuplot ignore properties graphql nix awk"],
  [{ line: "//" }, "c cpp cuda-cpp csharp java javascript javascriptreact typescript typescriptreact go rust swift kotlin scala groovy php dart jsonc less scss objective-c objective-cpp verilog systemverilog zig"],
  [{ line: "--" }, "sql lua haskell vhdl ada elm"],
  [{ line: "%" }, "latex tex bibtex matlab erlang prolog postscript"],
  [{ line: "!" }, "fortran fortran90 FortranFreeForm fortran-modern"],
  [{ line: ";" }, "clojure lisp commonlisp scheme racket ini asm"],
  [{ line: "'" }, "vb"],
  [{ line: "REM" }, "bat"],
  [{ line: ".." }, "restructuredtext"],
  [{ open: "<!--", close: "-->" }, "html xml markdown vue svelte xsl"],
  [{ open: "/*", close: "*/" }, "css"],
];
const BY_LANGUAGE = new Map(STYLES.flatMap(([style, names]) => names.split(" ").map((name) => [name, style] as const)));
const PLAIN: Style = { line: ">" };
const WIDTH = 88;
const LONGEST = 1200;

/** The quote and its source as lines of a comment, with the indentation of where it goes. */
export function asComment(citation: Citation, language: string, indent = ""): string {
  const style = BY_LANGUAGE.get(language) ?? PLAIN;
  const quote = citation.quote.length > LONGEST ? `${citation.quote.slice(0, LONGEST)}…` : citation.quote;
  const from = [citation.title, ...citation.section].map(tame).filter(Boolean).join(", ");
  const where = openable(citation.url) ? citation.url : citation.document_id;
  const lines = [...quote.split(/\r?\n/).flatMap((line) => wrapped(tame(line))), `Source: ${from}`, tame(where)]
    .map((line) => safe(line, style));
  const { line, open, close } = style;
  const made = line ? lines.map((text) => `${line} ${text}`) : [open!, ...lines.map((text) => `  ${text}`), close!];
  return made.map((text) => `${indent}${text.trimEnd()}\n`).join("");
}

/** Whether an address may be opened in a browser. */
export const openable = (address: string) => /^https?:\/\/[^\s/]/i.test(address) && URL.canParse(address);

// Control characters, among them those that turn the direction of writing: code must read as it runs.
const tame = (text: string) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").replace(/ {2,}/g, " ").trim();

function safe(line: string, { close }: Style): string {
  // A line that ends with a backslash goes on in the next one, which is code.
  const ended = line.replace(/[\\\s]+$|\?\?\/$/g, "");
  if (!close) return ended;
  return close === "*/" ? ended.replaceAll("*/", "* /").replaceAll("/*", "/ *") : ended.replace(/-{2,}/g, "-").replaceAll("->", "- >");
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1]!;
    if (last && last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}
