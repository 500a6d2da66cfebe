// A formula. KaTeX and its fonts are loaded with the first one, and build elements, not markup.

import { useEffect, useRef, useState } from "react";
import { useText } from "../i18n";

// What KaTeX writes as a style attribute into the MathML beside the picture, which our policy
// refuses; and what could spell these otherwise. Those formulas go without MathML.
const STYLED = /\\(?:fcolorbox|pmb|[gex]?def|let|futurelet|global|long|(?:re|provide)?newcommand)\b/;

const OPTIONS = {
  throwOnError: false,
  errorColor: "currentColor",
  trust: false,
  strict: "ignore",
  maxSize: 20,
  maxExpand: 200,
} as const;

const LONGEST = 4000;

export function Tex({ tex, display = false }: { tex: string; display?: boolean }) {
  const t = useText();
  const place = useRef<HTMLSpanElement>(null);
  const [drawn, setDrawn] = useState(false);
  useEffect(() => {
    let current = true;
    if (tex.length > LONGEST) return undefined;
    // Without the library, or where it gives up, the source of the formula stays.
    import("./katex").then(({ katex }) => {
      if (!current || !place.current) return;
      katex.render(tex, place.current, { ...OPTIONS, displayMode: display, output: STYLED.test(tex) ? "html" : "htmlAndMathml" });
      setDrawn(true);
    }).catch(() => undefined);
    return () => {
      current = false;
    };
  }, [tex, display]);
  return (
    <span className={display ? "formula display" : "formula"} {...(display ? { tabIndex: 0, role: "group", "aria-label": t.code.math } : {})}>
      {!drawn && <code>{tex}</code>}
      <span ref={place} />
    </span>
  );
}
