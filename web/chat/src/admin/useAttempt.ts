// Doing something that may be refused, with the reason at hand.

import { useState } from "react";
import { useSentence } from "../parts/Notice";

/** `attempt` runs `work`, then `done`; `trouble` is why the last one did not work, or empty. */
export function useAttempt(done: () => void): { attempt: (work: () => Promise<unknown>) => void; trouble: string; busy: boolean } {
  const sentence = useSentence();
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const attempt = (work: () => Promise<unknown>) => {
    setTrouble("");
    setBusy(true);
    work().then(done, (error: unknown) => setTrouble(sentence(error))).finally(() => setBusy(false));
  };
  return { attempt, trouble, busy };
}
