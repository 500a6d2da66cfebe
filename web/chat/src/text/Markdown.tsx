// Markdown of a model or an answer as elements of React. Raw HTML stays text, images are never
// made, and only the addresses that the sources themselves have become links.

import { createContext, type ReactNode, useContext, useMemo } from "react";
import ReactMarkdown, { type Components, type ExtraProps } from "react-markdown";
import remarkGfm from "remark-gfm";
import remarkMath from "remark-math";
import type { Element } from "hast";
import { Tip } from "../parts/Tip";
import { CodeBlock } from "./Code";
import { rehypeGlossary, type Glossary } from "./glossary";
import { openable } from "./links";
import { rehypeSentences } from "./sentences";
import { Tex } from "./Tex";

const ELEMENTS = [
  "p", "br", "em", "strong", "del", "blockquote", "ul", "ol", "li", "hr", "h1", "h2", "h3", "h4", "h5", "h6",
  "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "a", "span", "cite", "abbr",
];

interface Within {
  /** Addresses that may be links: those of the sources. */
  links: ReadonlySet<string>;
  /** What stands behind a sentence: its numbers. */
  after: (sentence: number) => ReactNode;
  /** True for a sentence that no page carries. */
  doubtful: (sentence: number) => boolean;
}

const NONE: Within = { links: new Set(), after: () => null, doubtful: () => false };
const Context = createContext<Within>(NONE);

interface Props {
  text: string;
  glossary?: Glossary;
  within?: Within;
}

const NO_WORDS: Glossary = new Map();

export function Markdown({ text, glossary = NO_WORDS, within = NONE }: Props) {
  const rehype = useMemo(
    () => [rehypeSentences, () => rehypeGlossary(glossary)],
    [glossary],
  );
  return (
    <Context value={within}>
      <ReactMarkdown
        remarkPlugins={REMARK}
        rehypePlugins={rehype}
        components={COMPONENTS}
        allowedElements={ELEMENTS}
        unwrapDisallowed
        urlTransform={(url) => openable(url) ?? ""}
      >
        {text}
      </ReactMarkdown>
    </Context>
  );
}

const REMARK = [remarkGfm, remarkMath];

type Of<Tag extends keyof React.JSX.IntrinsicElements> = React.JSX.IntrinsicElements[Tag] & ExtraProps;

const sentenceOf = (node: Element | undefined): number | null => {
  const index = node?.properties["dataSentence"];
  return typeof index === "number" ? index : null;
};

function Span({ node, children }: Of<"span">) {
  const { doubtful } = useContext(Context);
  const index = sentenceOf(node);
  return <span className={index !== null && doubtful(index) ? "unsupported" : undefined}>{children}</span>;
}

function Cite({ node }: Of<"cite">) {
  const { after } = useContext(Context);
  const index = sentenceOf(node);
  return index === null ? null : after(index);
}

function Link({ href, children }: Of<"a">) {
  const { links } = useContext(Context);
  const address = href && openable(href);
  if (!address || !links.has(address)) return <span>{children}</span>;
  return <a href={address} target="_blank" rel="noopener noreferrer">{children}</a>;
}

function InlineCode({ node, children }: Of<"code">) {
  const { doubtful } = useContext(Context);
  const index = sentenceOf(node);
  const classes = classesOf(node);
  if (classes.includes("math-inline")) return <Tex tex={plain(node)} />;
  return <code className={index !== null && doubtful(index) ? "unsupported" : undefined}>{children}</code>;
}

function Pre({ node }: Of<"pre">) {
  const code = node?.children.find((child): child is Element => child.type === "element" && child.tagName === "code");
  const classes = classesOf(code);
  if (classes.includes("math-display")) return <Tex tex={plain(code)} display />;
  const language = classes.find((name) => name.startsWith("language-"))?.slice("language-".length) ?? "";
  return <CodeBlock text={plain(code).replace(/\n$/, "")} language={language} />;
}

function Table({ children }: Of<"table">) {
  // Wide tables scroll inside their frame; the keyboard reaches the frame.
  return <div className="wide" tabIndex={0} role="group"><table>{children}</table></div>;
}

function Abbr({ title, children }: Of<"abbr">) {
  return <Tip text={title ?? ""}><abbr tabIndex={0}>{children}</abbr></Tip>;
}

const COMPONENTS: Components = {
  span: Span, cite: Cite, a: Link, code: InlineCode, pre: Pre, table: Table, abbr: Abbr,
  // An answer stands under a heading of the page already.
  h1: ({ children }) => <h4>{children}</h4>,
  h2: ({ children }) => <h4>{children}</h4>,
  h3: ({ children }) => <h4>{children}</h4>,
  h5: ({ children }) => <h4>{children}</h4>,
  h6: ({ children }) => <h4>{children}</h4>,
};

function classesOf(node: Element | undefined): string[] {
  const names = node?.properties["className"];
  return Array.isArray(names) ? names.map(String) : [];
}

function plain(node: Element | undefined): string {
  return node?.children.map((child) => (child.type === "text" ? child.value : child.type === "element" ? plain(child) : "")).join("") ?? "";
}
