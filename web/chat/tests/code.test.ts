// The code of a link survives a sign-in, and is left nowhere.

import { beforeEach, expect, test, vi } from "vitest";
import { keepCode, takeCode } from "../src/account/code";

const kept = new Map<string, string>();

beforeEach(() => {
  kept.clear();
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal("history", { state: null, replaceState: vi.fn(() => at("/link", "")) });
});

const at = (pathname: string, hash: string) => vi.stubGlobal("location", { pathname, hash });

test("the code waits while somebody signs in, and is used once", () => {
  at("/link", "#abc");
  keepCode();
  at("/link", "");
  expect(takeCode()).toBe("abc");
  expect(takeCode()).toBe("");
});

test("a code in the address goes before an older one and out of the address", () => {
  at("/link", "#old");
  keepCode();
  at("/link", "#new");
  expect(takeCode()).toBe("new");
  expect(location.hash).toBe("");
  expect(takeCode()).toBe("");
});

test("other pages keep nothing", () => {
  at("/search", "#abc");
  keepCode();
  expect(kept.size).toBe(0);
});
