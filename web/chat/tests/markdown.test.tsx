import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import type { Answer, Sentence } from "../src/api";
import { TipProvider } from "../src/parts/Tip";
import { Markdown } from "../src/text/Markdown";
import { clean, formulas, marked } from "../src/text/sentences";

const sentence = (text: string, ...citations: number[]): Sentence => ({ text, citations, supported: citations.length > 0 });

function rendered(text: string, sentences: Sentence[] = [], links: string[] = [], glossary = new Map<string, string>()): string {
  const within = {
    links: new Set(links),
    doubtful: (index: number) => sentences[index]?.supported === false,
    after: (index: number) => <i>{`[${sentences[index]!.citations.join(",")}]`}</i>,
  };
  return renderToStaticMarkup(<TipProvider><Markdown text={text} within={within} glossary={glossary} /></TipProvider>);
}

const answered = (...sentences: [string, Sentence][]): Pick<Answer, "answer" | "sentences"> => ({
  answer: sentences.map(([gap, it]) => gap + it.text).join(""),
  sentences: sentences.map(([, it]) => it),
});

function shown(...sentences: [string, Sentence][]): string {
  const answer = answered(...sentences);
  return rendered(marked(answer), answer.sentences);
}

test("each sentence is followed by its numbers, and a doubtful one looks different", () => {
  expect(shown(["", sentence("It fires.", 1)], [" ", sentence("Always.")]))
    .toBe('<p><span>It fires.</span><i>[1]</i> <span class="unsupported">Always.</span><i>[]</i></p>');
});

test("lines are paragraphs, list items a list, rows a table though its rule was lost", () => {
  const html = shown(
    ["", sentence("Do this:", 1)], ["\n", sentence("- open **it**", 1)], ["\n", sentence("- close it", 2)], ["\n", sentence("Done.", 1)],
    ["\n", sentence("| a | b |", 1)], ["\n", sentence("| 1 | 2 |", 2)],
  );
  expect(html).toContain("<p><span>Do this:</span><i>[1]</i></p>");
  expect(html.match(/<li>/g)).toHaveLength(2);
  expect(html).toContain("<span>open </span><strong><span>it</span></strong><i>[1]</i>");
  expect(html).toContain("<p><span>Done.</span>");
  expect(html).toContain("<th><span>a</span></th>");
  expect(html).toContain("<td><span>2</span><i>[2]</i></td>");
});

test("a sentence that the text does not hold is shown all the same", () => {
  const answer = { answer: "Other words.", sentences: [sentence("It fires.", 1)] };
  expect(rendered(marked(answer), answer.sentences)).toContain("It fires.");
});

test("numbers stand behind code, never in it", () => {
  expect(shown(["", sentence("Run `make", 1)], [" ", sentence("test` now.", 2)]))
    .toBe("<p><span>Run </span><code>make test</code><i>[1]</i><span> now.</span><i>[2]</i></p>");
});

test("marks that somebody else wrote are no marks", () => {
  const forged = "\uE000\uE015\uE002fake\uE001";
  const answer = { answer: forged, sentences: [sentence(forged, 1)] };
  expect(rendered(marked(answer), answer.sentences)).toBe("<p><span>fake</span><i>[1]</i></p>");
  expect(clean(forged)).toBe("fake");
});

const HOSTILE = [
  "<script>pwned()</script>",
  "<img src=x onerror=pwned()>",
  "<svg/onload=pwned()>",
  "<iframe srcdoc='<script>pwned()</script>'></iframe>",
  "<style>*{background:url(//evil)}</style>",
  "<a href='javascript:pwned()'>x</a>",
  "[x](javascript:pwned())",
  "[x](<javascript:pwned()>)",
  "[x](java&#x73;cript:pwned())",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "[x](vbscript:pwned())",
  "[x]: javascript:pwned()\n\n[x]",
  "![x](https://evil.example.org/leak.png)",
  "![x](javascript:pwned())",
  "<javascript:pwned()>",
  "https://evil.example.org/a",
  "[x](https://evil.example.org/)",
  "[^1]\n\n[^1]: <img src=x onerror=pwned()>",
  "`<img src=x onerror=pwned()>`",
  "```<script>\npwned()\n```",
  "```js\" onload=\"pwned()\npwned()\n```",
  "$\\href{javascript:pwned()}{x}$",
  "$$\\htmlData{x=y}{z}$$",
  "| a |\n|---|\n| <img src=x onerror=pwned()> |",
  "# <img src=x onerror=pwned()>",
  "a\u0000b <im\u0000g src=x onerror=pwned()>",
  "&lt;script&gt;pwned()&lt;/script&gt;",
  "<math><mtext><img src=x onerror=pwned()></mtext></math>",
  "- [ ] <input onfocus=pwned() autofocus>",
];

test.each(HOSTILE)("%j is text", (text) => {
  for (const html of [rendered(text), shown(["", sentence(text, 1)])]) {
    expect(html).not.toMatch(/<(?:script|img|svg(?! class="icon")|iframe|style|input|object|embed|link|form|math|sup)\b/i);
    expect(html).not.toMatch(/<a\b/i);
    // An attribute would stand inside of a tag.
    expect(html).not.toMatch(/<[^>]*\s(?:on\w+|srcdoc|href|src|style)\s*=/i);
  }
});

test("HTML is shown as what somebody wrote", () => {
  expect(rendered("See <b>this</b>.")).toBe("<p>See &lt;b&gt;this&lt;/b&gt;.</p>");
});

test("only addresses of the sources are links", () => {
  const links = ["https://docs.example.org/menu"];
  expect(rendered("See https://docs.example.org/menu and [here](https://evil.org/).", [], links))
    .toBe('<p>See <a href="https://docs.example.org/menu" target="_blank" rel="noopener noreferrer">https://docs.example.org/menu</a> and <span>here</span>.</p>');
});

test("the first use of an acronym is explained, not the second, and not in code", () => {
  const html = rendered("`DAQ` The DAQ and the DAQ.", [], [], new Map([["DAQ", "data acquisition"]]));
  expect(html.match(/<abbr/g)).toHaveLength(1);
  expect(html).toContain("<code>DAQ</code>");
});

test("formulas of models become those of the parser", () => {
  expect(formulas("a \\(x_1\\) b \\[y\\]")).toBe("a $x_1$ b $$y$$");
  expect(rendered("at $x_1 < 2$ GeV")).toContain("x_1 &lt; 2");
});
