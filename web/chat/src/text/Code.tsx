// A block of code with a button that copies it; its colours come when the library has arrived.

import { type ReactNode, useEffect, useState } from "react";
import { useText } from "../i18n";
import { CopyButton } from "../parts/Copy";

const LONGEST = 20_000;

export function CodeBlock({ text, language = "" }: { text: string; language?: string }) {
  const t = useText();
  const [coloured, setColoured] = useState<ReactNode>(null);
  useEffect(() => {
    let current = true;
    setColoured(null);
    if (text.length > LONGEST) return undefined;
    import("./highlight").then(
      ({ highlighted }) => current && setColoured(highlighted(text, language)),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [text, language]);
  return (
    <div className="code">
      <CopyButton text={text} label={t.code.copy} />
      <pre tabIndex={0}><code>{coloured ?? text}</code></pre>
    </div>
  );
}
