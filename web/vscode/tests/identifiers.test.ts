import { expect, it } from "vitest";
import type { Passage } from "../src/answer";
import { Identifiers, isName } from "../src/identifiers";

const passage = (text: string, title = "Menu"): Passage =>
  ({ document_id: "d", title, url: "https://wiki.example/Menu", source: "wiki", section: [], text });

it("takes for a name what a collaboration would call one", () => {
  for (const name of ["L1_MU4", "HLT_mu24", "Run3Menu", "TileCal2"]) expect(isName(name)).toBe(true);
  // Words, short ones, numbers, and what only a program has.
  for (const word of ["Menu", "path", "MU4", "0xFF12", "my_path", "x1", "A".repeat(80) + "_1"]) expect(isName(word)).toBe(false);
});

it("says what a page says of the very name, and nothing of one that is only alike", async () => {
  const asked: string[] = [];
  const identifiers = new Identifiers(async (name) => {
    asked.push(name);
    return [passage("L1_MU40 and XL1_MU4 are others."), passage("The L1_MU4\ntrigger fires at 4 GeV.", "Thresholds")];
  });

  expect(await identifiers.about("L1_MU4")).toEqual({
    title: "Thresholds", url: "https://wiki.example/Menu", text: "The L1_MU4 trigger fires at 4 GeV.",
  });
  expect(await identifiers.about("L1_MU6")).toBeNull();
  expect(await identifiers.about("trigger")).toBeNull();
  expect(asked).toEqual(["L1_MU4", "L1_MU6"]);
});

it("shows a little of a long passage, cut between words", async () => {
  const identifiers = new Identifiers(async () => [passage(`${"before ".repeat(60)}L1_MU4 ${"after ".repeat(60)}`)]);

  const { text } = (await identifiers.about("L1_MU4"))!;

  expect(text).toMatch(/^… (before )+L1_MU4( after)+ …$/);
  expect(text.length).toBeLessThan(300);
  const glued = new Identifiers(async () => [passage(`${"x".repeat(200)}-L1_MU4-${"y".repeat(200)}`)]);
  expect((await glued.about("L1_MU4"))!.text).toBe("… L1_MU4 …");
});

it("asks once in ten minutes for each, and not at all for a minute where the server refuses", async () => {
  let now = 0;
  let asked = 0;
  let away = false;
  const identifiers = new Identifiers(async () => {
    asked += 1;
    if (away) throw new Error("away");
    return [passage("L1_MU4 fires.")];
  }, () => now);

  await identifiers.about("L1_MU4");
  await identifiers.about("L1_MU4");
  expect(asked).toBe(1);
  now = 10 * 60_000;
  away = true;
  expect(await identifiers.about("L1_MU4")).toBeNull();
  expect(await identifiers.about("L1_MU6")).toBeNull();
  expect(asked).toBe(2);
  now += 60_000;
  away = false;
  expect((await identifiers.about("L1_MU4"))!.text).toBe("L1_MU4 fires.");
  identifiers.forget();
  await identifiers.about("L1_MU4");
  expect(asked).toBe(4);
});

it("remembers no more than two hundred names", async () => {
  let asked = 0;
  const identifiers = new Identifiers(async () => ((asked += 1), []));
  for (let number = 0; number <= 200; number += 1) await identifiers.about(`NAME_${number}`);
  await identifiers.about("NAME_200");
  expect(asked).toBe(201);
  await identifiers.about("NAME_0");
  expect(asked).toBe(202);
});
