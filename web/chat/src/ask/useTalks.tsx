// The conversations, for whatever shows them.

import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { Talks } from "./talks";

const LISTS = { queryKey: ["conversations"] };

const Context = createContext<Talks | null>(null);

export function TalksProvider({ children }: { children: ReactNode }) {
  const [talks] = useState(() => new Talks());
  const queries = useQueryClient();
  useEffect(() => {
    // A first list that is still on its way is of before this change, and would not be asked for again.
    talks.onChange = () => void queries.cancelQueries(LISTS).then(() => queries.invalidateQueries(LISTS));
  }, [talks, queries]);
  return <Context value={talks}>{children}</Context>;
}

/** The conversations; whoever calls this is drawn again when one changes. */
export function useTalks(): Talks {
  const talks = useContext(Context);
  if (!talks) throw new Error("There are no conversations outside of TalksProvider.");
  useSyncExternalStore(talks.subscribe, () => talks.version);
  return talks;
}
