// A formula. KaTeX and its fonts are loaded with the first one, and build elements, not markup.

import { useEffect, useRef, useState } from "react";
import { useText } from "../i18n";

const LONGEST = 4000;

export function Tex({ tex, display = false }: { tex: string; display?: boolean }) {
  const t = useText();
  const place = useRef<HTMLSpanElement>(null);
  const [drawn, setDrawn] = useState(false);
  useEffect(() => {
    let current = true;
    if (tex.length > LONGEST) return undefined;
    // Without the library, or where it gives up, the source of the formula stays.
    import("./katex").then((katex) => {
      if (!current || !place.current) return;
      place.current.replaceChildren(katex.drawn(tex, display));
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
