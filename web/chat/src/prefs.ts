// What the page remembers in this browser: tastes, and the question being typed. Never an answer
// beyond this tab, never a token.

import { useEffect, useState } from "react";

const KEY = "docent.";

/** A remembered taste; empty where none was, or where the browser keeps nothing. */
export function stored(name: string): string {
  try {
    return localStorage.getItem(KEY + name) ?? "";
  } catch {
    return "";
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(KEY + name, value);
  } catch {
    // A browser that keeps nothing forgets the taste, and that is its owner's will.
  }
}

/** What this tab keeps over a reload and a sign-in: the typed question and the answer so far. */
export const tab = {
  get(name: string): string {
    try {
      return sessionStorage.getItem(KEY + name) ?? "";
    } catch {
      return "";
    }
  },
  set(name: string, value: string): void {
    try {
      if (value) sessionStorage.setItem(KEY + name, value);
      else sessionStorage.removeItem(KEY + name);
    } catch {
      // As above.
    }
  },
};

export type Theme = "system" | "light" | "dark";

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => asTheme(stored("theme")));
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
    store("theme", theme);
  }, [theme]);
  return [theme, setTheme];
}

function asTheme(value: string): Theme {
  return value === "light" || value === "dark" ? value : "system";
}
