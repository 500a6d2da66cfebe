// Keys of the page. Letters count only while nothing is being typed.

import { useEffect, useRef } from "react";

/** What a key does, by name; the names stand in the list that `?` shows. */
export const KEYS = {
  question: "/",
  fresh: "n",
  search: "s",
  stop: "Escape",
  next: "j",
  previous: "k",
  copy: "c",
  edit: "e",
  navigation: "b",
  theme: "d",
  close: "Escape",
  help: "?",
} as const;

export type KeyName = keyof typeof KEYS;

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Runs what is named when its key is pressed, as long as the caller is shown. */
export function useKeys(actions: Partial<Record<KeyName, () => void>>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector("dialog[open]")) return;
      if (event.key !== "Escape" && typing(event.target)) return;
      for (const [name, key] of Object.entries(KEYS)) {
        const action = latest.current[name as KeyName];
        if (key !== event.key || !action) continue;
        if (event.key !== "Escape") event.preventDefault();
        action();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
