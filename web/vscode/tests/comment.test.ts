import { describe, expect, it } from "vitest";
import type { Citation } from "../src/answer";
import { asComment, openable } from "../src/comment";

const citation = (more: Partial<Citation> = {}): Citation => ({
  marker: 1, document_id: "twiki:Menu", title: "Muon trigger menu", url: "https://wiki.example.org/Menu", source: "twiki",
  section: ["Thresholds"], page: null, quote: "It fires at 4 GeV.", start: 0, end: 18, updated_at: null,
  standing: { archived: false, superseded_by: "" }, also: [], ...more,
});

describe("asComment", () => {
  it("writes the quote and its source in the comments of the language, indented", () => {
    expect(asComment(citation(), "python", "    ")).toBe(
      "    # It fires at 4 GeV.\n    # Source: Muon trigger menu, Thresholds\n    # https://wiki.example.org/Menu\n");
    expect(asComment(citation(), "cpp")).toContain("// It fires at 4 GeV.\n");
    expect(asComment(citation(), "latex")).toContain("% It fires");
    expect(asComment(citation(), "html")).toBe(
      "<!--\n  It fires at 4 GeV.\n  Source: Muon trigger menu, Thresholds\n  https://wiki.example.org/Menu\n-->\n");
    expect(asComment(citation(), "unheard-of")).toContain("> It fires");
  });

  it("lets no quote out of its comment", () => {
    const evil = citation({ quote: "one */ two --> three\nsystem('rm') \\\nfour\u2028five\rsix\u202Eseven", title: "a\nb" });
    for (const language of ["python", "c", "fortran", "sql", "bat"]) {
      const lines = asComment(evil, language).trimEnd().split(/[\n\r\u2028\u2029]/);
      expect(new Set(lines.map((line) => line.split(" ")[0])).size).toBe(1);
      expect(lines.filter((line) => /\\$/.test(line))).toEqual([]);
      expect(lines.join("")).not.toContain("\u202E");
    }
    expect(asComment(evil, "css").match(/\*\//g)).toHaveLength(1);
    expect(asComment(evil, "html").match(/-->/g)).toHaveLength(1);
    expect(asComment(citation({ quote: "a ---> b --!> c <!-- d" }), "html").match(/--!?>/g)).toHaveLength(1);
  });

  it("breaks long lines and cuts endless quotes", () => {
    const lines = asComment(citation({ quote: "word ".repeat(1000) }), "python").trimEnd().split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(90);
    expect(lines.length).toBeLessThan(20);
  });

  it("names the document where its address may not be opened", () => {
    expect(asComment(citation({ url: "javascript:alert(1)" }), "python")).toContain("# twiki:Menu\n");
    expect(openable("https://a.b")).toBe(true);
    expect(["javascript:alert(1)", "file:///etc", "command:x", "https:// x", "vscode://x", ""].filter(openable)).toEqual([]);
  });
});
