// A button that copies a text and says so for a moment.

import { useEffect, useState } from "react";
import { useText } from "../i18n";
import { Icon } from "./Icon";

export function CopyButton({ text, label, words = false }: { text: string; label: string; words?: boolean }) {
  const t = useText();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => navigator.clipboard.writeText(text).then(() => setCopied(true), () => undefined);
  return (
    <button type="button" className={words ? "quiet" : "copy icon-button"} onClick={copy} aria-label={label} title={label}>
      <Icon name={copied ? "check" : "copy"} />
      {words && <span>{copied ? t.app.copied : t.app.copy}</span>}
      <span className="unseen" role="status">{copied ? t.app.copied : ""}</span>
    </button>
  );
}
