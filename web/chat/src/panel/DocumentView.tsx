// A document as it was read, with one quote highlighted.

import { type ReactNode, useEffect, useRef } from "react";
import type { Block, Doc } from "../api";
import { Stands } from "../ask/Sources";
import { useLanguage, useText } from "../i18n";
import { CodeBlock } from "../text/Code";
import { age, day, dotted, path } from "../text/dates";
import { documentAddress, placeOf } from "../text/links";
import { Cut, items, type Piece, type Quote, quoted, touches } from "./blocks";

const FRAMES = 8;

interface Props {
  doc: Doc;
  quote: Quote | null;
  alone?: boolean;
}

export function DocumentView({ doc, quote, alone = false }: Props) {
  const t = useText();
  const text = useRef<HTMLDivElement>(null);
  const cited = doc.blocks.find((block) => touches(block, quote));
  useEffect(() => {
    // What is out of sight has a guessed height until it is drawn: the place moves for some frames.
    let frame = 0;
    const show = (left: number) => {
      text.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
      if (left) frame = requestAnimationFrame(() => show(left - 1));
    };
    show(FRAMES);
    return () => cancelAnimationFrame(frame);
  }, [doc, quote?.start, quote?.end]);
  // Most documents begin with their title, which stands above already.
  const [first] = doc.blocks;
  const repeats = first?.kind === "heading" && first.text === doc.title && !touches(first, quote);
  return (
    <>
      <header className="about">
        {cited && cited.headings.length > 0 && <p className="where">{path(cited.headings)}</p>}
        <h2 id="panel-title" tabIndex={-1}>{doc.title || doc.document_id}</h2>
        <AboutFacts doc={doc} page={cited?.page ?? null} />
        <Links doc={doc} quote={quote} cited={cited} alone={alone} />
        {quote && !cited && <p className="notice">{t.panel.changed}</p>}
      </header>
      <div className="text" ref={text}>
        {doc.blocks.slice(repeats ? 1 : 0).map((block) => <BlockView key={block.start} block={block} quote={quote} format={doc.format} />)}
      </div>
    </>
  );
}

function AboutFacts({ doc, page }: { doc: Doc; page: number | null }) {
  const t = useText();
  const { language } = useLanguage();
  const date = day(doc.updated_at, language);
  return (
    <p className="facts">
      {dotted(doc.source, date && `${t.sources.updated(date)} (${age(doc.updated_at, t)})`, doc.author, page !== null && t.sources.page(page))}
      <Stands standing={doc.standing} />
    </p>
  );
}

function Links({ doc, quote, cited, alone }: Props & { cited: Block | undefined }) {
  const t = useText();
  const page = cited?.page ?? null;
  const original = placeOf({ url: doc.url, quote: quoted(doc.blocks, quote), page, anchor: cited?.anchor ?? "", format: doc.format });
  return (
    <p className="links">
      {original && (
        <a href={original} target="_blank" rel="noopener noreferrer">
          {page === null ? t.panel.original : t.panel.atPage(page)}<span className="unseen"> {t.app.newTab}</span>
        </a>
      )}
      {!alone && <a href={documentAddress({ document_id: doc.document_id, ...(quote ?? {}) })}>{t.panel.link}</a>}
    </p>
  );
}

function BlockView({ block, quote, format }: { block: Block; quote: Quote | null; format: string }) {
  const cut = new Cut(block, quote);
  switch (block.kind) {
    case "heading": {
      const Heading = `h${Math.min(6, 2 + Math.max(1, block.headings.length))}` as "h3";
      return <Heading className="block"><Pieces pieces={cut.pieces()} /></Heading>;
    }
    case "list":
      return <ListView cut={cut} />;
    case "table":
      return <TableView cut={cut} headerEnd={block.header_end === null ? null : block.header_end - block.start} />;
    case "code":
      // Colours would break the highlight, which matters more.
      return touches(block, quote)
        ? <pre className="block" tabIndex={0}><code><Pieces pieces={cut.pieces()} /></code></pre>
        : <div className="block"><CodeBlock text={block.text} language={format} /></div>;
    default:
      return <p className="block"><Pieces pieces={cut.pieces()} /></p>;
  }
}

function Pieces({ pieces }: { pieces: Piece[] }): ReactNode {
  const t = useText();
  return pieces.map((piece, index) =>
    piece.marked ? <mark key={index}><span className="unseen">{t.panel.quoted} </span>{piece.text}</mark> : <span key={index}>{piece.text}</span>);
}

function ListView({ cut }: { cut: Cut }) {
  return (
    <ul className="block">
      {items(cut).map((item) => (
        <li key={item.from} className={`${item.kind} depth-${item.depth}`}>
          {item.kind === "numbered" && <span className="number">{item.marker} </span>}
          <Pieces pieces={cut.pieces(item.from, item.to)} />
        </li>
      ))}
    </ul>
  );
}

function TableView({ cut, headerEnd }: { cut: Cut; headerEnd: number | null }) {
  const t = useText();
  const rows = cut.lines();
  const isHead = ([, to]: readonly [number, number]) => headerEnd !== null && to <= headerEnd;
  const head = rows.filter(isHead);
  const row = ([from, to]: readonly [number, number], Cell: "th" | "td") => (
    <tr key={from}>
      {cut.cells(from, to).map(([a, b], index) => (
        <Cell key={index} {...(Cell === "th" ? { scope: "col" } : {})}><Pieces pieces={cut.pieces(a, b)} /></Cell>
      ))}
    </tr>
  );
  return (
    <div className="block wide" tabIndex={0} role="region" aria-label={t.panel.table}>
      <table>
        {head.length > 0 && <thead>{head.map((it) => row(it, "th"))}</thead>}
        <tbody>{rows.filter((it) => !isHead(it)).map((it) => row(it, "td"))}</tbody>
      </table>
    </div>
  );
}
