// The language of the page: the browser's wish, or what was chosen. English is in the first load.

import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { stored, store } from "../prefs";
import { en, type Messages } from "./en";

export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français" } as const;
export type Language = keyof typeof LANGUAGES;

const LOADERS: Record<Exclude<Language, "en">, () => Promise<Messages>> = {
  de: async () => (await import("./de")).de,
  fr: async () => (await import("./fr")).fr,
};

/** The first of the browser's languages that we have. */
export function languageOf(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const name = tag.slice(0, 2).toLowerCase();
    if (name in LANGUAGES) return name as Language;
  }
  return "en";
}

interface Spoken {
  language: Language;
  t: Messages;
  speak: (language: Language) => void;
}

const Context = createContext<Spoken>({ language: "en", t: en, speak: () => undefined });

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(
    () => languageOf([stored("language"), ...navigator.languages]),
  );
  const [messages, setMessages] = useState<{ language: Language; t: Messages }>({ language: "en", t: en });

  useEffect(() => {
    let current = true;
    const arrived = (t: Messages) => {
      if (!current) return;
      document.documentElement.lang = language;
      setMessages({ language, t });
    };
    if (language === "en") arrived(en);
    // Without its file the page stays in English rather than empty.
    else LOADERS[language]().then(arrived, () => arrived(en));
    return () => {
      current = false;
    };
  }, [language]);

  const spoken = useMemo(
    () => ({
      ...messages,
      speak: (chosen: Language) => {
        store("language", chosen);
        setLanguage(chosen);
      },
    }),
    [messages],
  );
  return <Context value={spoken}>{children}</Context>;
}

export const useLanguage = () => useContext(Context);

/** The words of the page. */
export const useText = () => useContext(Context).t;
