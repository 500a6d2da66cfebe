import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { languageOf } from "../src/i18n";
import { de } from "../src/i18n/de";
import { en } from "../src/i18n/en";
import { fr } from "../src/i18n/fr";
import { age } from "../src/text/dates";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

function leaves(words: object, at = ""): [string, unknown][] {
  return Object.entries(words).flatMap(([key, value]): [string, unknown][] =>
    value !== null && typeof value === "object" ? leaves(value as object, `${at}${key}.`) : [[at + key, value]]);
}

test.each([["de", de], ["fr", fr]])("%s has every word, said otherwise than in English", (_, words) => {
  const theirs = new Map(leaves(words));
  expect([...theirs.keys()].sort()).toEqual(leaves(en).map(([key]) => key).sort());
  for (const [key, english] of leaves(en)) {
    const word = theirs.get(key);
    expect(typeof word, key).toBe(typeof english);
    if (typeof english === "function") expect((word as () => string).length, key).toBe(english.length);
    else expect(String(word).trim(), key).not.toBe("");
  }
  const same = leaves(en).filter(([key, english]) => typeof english === "string" && theirs.get(key) === english);
  expect(same.length).toBeLessThan(30);
});

// Said by a name that is only known when the page runs: a role, a theme, a kind, a key, a tab.
const CHOSEN = /^(?:account\.(?:role|themes)|notice|keys|tokens\.scope|maintain\.states)\.|^maintain\.(?:feedback|gaps|stale|candidates)$|^name$/;

test("every word is said somewhere", () => {
  const source = files(SRC).filter((path) => !path.includes("/i18n/")).map((path) => readFileSync(path, "utf8")).join("\n");
  const said = (key: string) => {
    const [leaf, group] = key.split(".").reverse();
    return new RegExp(`(?:\\b${group}\\.|\\bwords\\.)${leaf}\\b`).test(source);
  };
  expect(leaves(en).map(([key]) => key).filter((key) => !CHOSEN.test(key) && !said(key))).toEqual([]);
});

test("the browser's first language that we have is taken", () => {
  expect(languageOf(["", "it-IT", "de-CH", "fr"])).toBe("de");
  expect(languageOf(["ja"])).toBe("en");
});

test("an age is told in words", () => {
  const now = Date.UTC(2026, 5, 1);
  expect(age("2026-05-31T12:00:00Z", en, now)).toBe("today");
  expect(age("2026-05-30T00:00:00Z", en, now)).toBe("2 days ago");
  expect(age("2026-01-01T00:00:00Z", en, now)).toBe("5 months ago");
  expect(age("2023-05-30T00:00:00Z", de, now)).toBe("vor 3 Jahren");
  expect(age(null, en, now)).toBe("");
});

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : /\.tsx?$/.test(name) ? [path] : [];
  });
}

test("no line of the page parses text as markup", () => {
  const forbidden = /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|srcdoc|createContextualFragment/;
  for (const path of files(SRC)) expect(forbidden.test(readFileSync(path, "utf8")), path).toBe(false);
});
