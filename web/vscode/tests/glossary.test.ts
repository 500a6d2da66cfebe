import { expect, it } from "vitest";
import { Glossary, parts } from "../src/glossary";

const GRL = { short: "GRL", long: "good run list", sources: [] };
const IT = { short: "IT", long: "inner tracker", sources: [] };

it("knows short forms, alone and in identifiers, and no common words", async () => {
  const glossary = new Glossary(async () => [GRL, IT]);
  for (const word of ["GRL", "grl_path", "applyGRLFilter", "GRL_2025"]) expect(await glossary.about(word)).toEqual([GRL]);
  for (const word of ["it", "grl", "Grl", "GRLS", "edit", "split"]) expect(await glossary.about(word)).toEqual([]);
  expect(await glossary.about("GRL_IT")).toEqual([GRL, IT]);
});

it("asks the server once in ten minutes, and not more often where it is away", async () => {
  let asked = 0;
  let now = 0;
  let away = false;
  const glossary = new Glossary(async () => {
    asked += 1;
    if (away) throw new Error("away");
    return [GRL];
  }, () => now);
  await Promise.all([glossary.about("GRL"), glossary.about("IT")]);
  expect(asked).toBe(1);
  now = 10 * 60_000;
  away = true;
  // What was learnt stays while the server is away.
  expect(await glossary.about("GRL")).toEqual([GRL]);
  now += 59_999;
  await glossary.about("GRL");
  expect(asked).toBe(2);
  now += 1;
  await glossary.about("GRL");
  expect(asked).toBe(3);
  glossary.forget();
  expect(await glossary.about("GRL")).toEqual([]);
});

it("cuts identifiers where people do", () => {
  expect(parts("applyGRLFilter")).toEqual(["apply", "GRL", "Filter"]);
  expect(parts("L1_MU4")).toEqual(["L1", "MU4"]);
});
