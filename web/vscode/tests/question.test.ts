import { describe, expect, it } from "vitest";
import { aboutCode, aboutError, MOST, remoteIn, repositoryOf } from "../src/question";

const CONTEXT = {
  code: 'Threshold("L1_MU4", gev=4)', language: "python", path: "src/menu.py", from: 3, to: 3, repository: "https://gitlab.example.org/muon/menu",
};

describe("a question about code", () => {
  it("says what is wanted, where it is, and the lines", () => {
    expect(aboutCode("Why 4?", CONTEXT)).toBe(
      'Why 4?\n\nFile: src/menu.py, line 3 (python)\nRepository: https://gitlab.example.org/muon/menu\n\n```python\nThreshold("L1_MU4", gev=4)\n```');
    expect(aboutCode(" ", { ...CONTEXT, to: 9, repository: "", language: "" })).toMatch(/^What does this do.*\n\nFile: src\/menu.py, lines 3 to 9\n\n```\n/);
  });

  it("quotes an error with its source", () => {
    expect(aboutError("No such chain", "pylint", CONTEXT)).toMatch(/^What does this error mean, and what is to be done\? pylint: No such chain\n\nFile/);
    expect(aboutError("", "", CONTEXT)).toMatch(/^What does this error mean, and what is to be done\?\n\nFile/);
    expect(aboutError("x".repeat(5000), "", { ...CONTEXT, code: "" }).length).toBeLessThan(1300);
  });

  it("fits into what the server takes, however long the parts are", () => {
    const long = { ...CONTEXT, code: "x = 1\n".repeat(2000), path: "p/".repeat(900), repository: "https://h/" + "r".repeat(900) };
    for (const wish of ["", "w".repeat(9000)]) {
      const text = aboutCode(wish, long);
      expect(text.length).toBeLessThanOrEqual(MOST);
      expect(text).toMatch(/… \(the rest is left out\)\n```$/);
    }
  });

  it("is not ended by code that has a fence in it", () => {
    expect(aboutCode("?", { ...CONTEXT, code: "```\nx\n````" })).toMatch(/\n`````python\n```\nx\n````\n`````$/);
  });
});

describe("repositories", () => {
  it("are told without names and passwords", () => {
    expect(repositoryOf("https://oauth2:glpat-secret@gitlab.example.org/muon/menu.git")).toBe("https://gitlab.example.org/muon/menu");
    expect(repositoryOf("git@gitlab.example.org:muon/menu.git")).toBe("https://gitlab.example.org/muon/menu");
    expect(repositoryOf("ssh://git@gitlab.example.org:7999/muon/menu.git")).toBe("https://gitlab.example.org/muon/menu");
    expect(repositoryOf("https://h/a/b/?private_token=x#y")).toBe("https://h/a/b");
    expect(["/srv/git/x", "file:///srv/x", "C:\\x", ""].map(repositoryOf)).toEqual(["", "", "", ""]);
  });

  it("are read from the settings of Git, origin first", () => {
    const config = '[core]\n\tbare = false\n[remote "fork"]\n\turl = git@h:me/menu.git\n[remote "origin"]\n\tfetch = +refs\n\turl = git@h:muon/menu.git\n[branch "x"]\n';
    expect(remoteIn(config)).toBe("git@h:muon/menu.git");
    expect(remoteIn('[remote "fork"]\n  url=https://h/x\n')).toBe("https://h/x");
    expect(remoteIn("[core]\n")).toBe("");
  });
});
