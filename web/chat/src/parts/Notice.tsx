// A sentence that something is not as it should be.

import type { ReactNode } from "react";
import { Problem } from "../api";
import { useText } from "../i18n";

export function Trouble({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return <div className="notice trouble" role="alert"><p>{children}</p>{action}</div>;
}

/** What went wrong, in a sentence for the reader. */
export function useSentence(): (error: unknown) => string {
  const t = useText();
  return (error) => {
    if (!(error instanceof Problem)) return t.app.error;
    if (error.status === 0) return t.turn.offline;
    if (error.status === 401) return t.turn.expired;
    if (error.status === 429) return error.retryAfter ? t.turn.busy(error.retryAfter) : t.turn.busySoon;
    return error.message || t.turn.failed;
  };
}

/** The state of something that is being fetched, where it is not there yet. */
export function Waiting({ error, retry }: { error: unknown; retry: () => void }) {
  const t = useText();
  const sentence = useSentence();
  if (!error) return <p className="state" aria-busy="true">{t.app.loading}</p>;
  return <Trouble action={<button type="button" className="quiet" onClick={retry}>{t.app.tryAgain}</button>}>{sentence(error)}</Trouble>;
}
