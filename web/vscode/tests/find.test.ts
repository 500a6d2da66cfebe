import { describe, expect, it } from "vitest";
import { find, heading } from "../src/find";

const FILE = `# Muon trigger menu

The menu of the 2025 run.

## Thresholds

The **L1_MU4** trigger fires at \`4 GeV\`
in the [barrel](https://example.org/barrel) and needs two stations. It is prescaled.
`;

describe("find", () => {
  it("finds a quote through markup and line breaks", () => {
    expect(find(FILE, "The menu of the 2025 run.")).toEqual({ line: 2, column: 0, endLine: 2, endColumn: 24 });
    expect(find(FILE, "The L1_MU4 trigger fires at 4 GeV in the")).toEqual({ line: 6, column: 0, endLine: 7, endColumn: 6 });
  });

  it("finds a quote with a link in it, whose address is no word of the quote", () => {
    const found = find(FILE, "The L1_MU4 trigger fires at 4 GeV in the barrel and needs two stations.");
    expect(found).toMatchObject({ line: 6, column: 0, endLine: 7 });
    expect(FILE.split("\n")[7]!.slice(0, found!.endColumn)).toMatch(/two stations$/);
  });

  it("does not take a text for another that shares words with it", () => {
    expect(find(FILE, "The L1_MU20 chain runs at 20 GeV in the end-caps and needs three stations.")).toBeNull();
    expect(find(FILE, "two barrels")).toBeNull();
    expect(find(FILE, "🧲")).toBeNull();
    expect(find("", "a b c")).toBeNull();
  });

  it("prefers the whole quote to an earlier part of it", () => {
    expect(find("red green blue\nred green blue white\n", "red green blue white")).toMatchObject({ line: 1 });
    expect(find("one two three x\none two three four five\n", "one two three four five six")).toMatchObject({ line: 1 });
  });

  it("counts columns as editors do, in UTF-16 units", () => {
    expect(find("🧲 Ask before", "Ask before")).toEqual({ line: 0, column: 3, endLine: 0, endColumn: 13 });
  });

  it("takes long files in little time", () => {
    const long = "the rate of the trigger is low. ".repeat(5000);
    const began = performance.now();
    expect(find(long, "the rate of the trigger is high when the luminosity is")).toBeNull();
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe("heading", () => {
  it("finds the line of a heading in the markups of three formats", () => {
    expect(heading(FILE, "Thresholds")).toBe(4);
    expect(heading("Thresholds\n==========\n", "thresholds")).toBe(0);
    expect(heading("x\n\\section{...}\n", "")).toBeNull();
    expect(heading("---++ Rates\n", "Rates")).toBe(0);
    expect(heading(FILE, "Rates")).toBeNull();
  });
});
