import { describe, expect, it } from "vitest";
import { candidates, inside } from "../src/where";

const FOLDER = { root: "file:///w", repository: "git@gitlab.example.org:muon/menu.git" };

describe("candidates", () => {
  it("is sure of a file of the very repository, whatever the branch is called", () => {
    const place = { document_id: "gitlab:12/files/docs/a b.md", url: "https://gitlab.example.org/muon/menu/-/blob/main/docs/a%20b.md#rates" };
    expect(candidates(place, [FOLDER])).toContainEqual({ root: FOLDER.root, path: "docs/a b.md", sure: true });
    const branched = { ...place, url: "https://gitlab.example.org/muon/menu/-/blob/feature/x/docs/a.md" };
    expect(candidates(branched, [FOLDER]).filter((one) => one.sure).map((one) => one.path)).toEqual(["x/docs/a.md", "docs/a.md", "a.md"]);
    const github = { document_id: "x:1", url: "https://github.com/Muon/Menu/blob/main/README.md" };
    expect(candidates(github, [{ root: "r", repository: "https://github.com/muon/menu" }])).toEqual([{ root: "r", path: "README.md", sure: true }]);
  });

  it("takes a file of another repository for a guess only", () => {
    const place = { document_id: "gitlab:12", url: "https://gitlab.example.org/muon/other/-/blob/main/docs/a.md" };
    expect(candidates(place, [FOLDER])).toEqual([]);
  });

  it("leaves out what is above the folder that is open", () => {
    const place = { document_id: "x:1", url: "https://gitlab.example.org/muon/menu/-/blob/main/docs/a.md" };
    expect(candidates(place, [{ ...FOLDER, within: "docs/" }])).toEqual([{ root: FOLDER.root, path: "a.md", sure: true }]);
    expect(candidates(place, [{ ...FOLDER, within: "src/" }])).toEqual([]);
  });

  it("guesses by the id and by the end of the address", () => {
    const place = { document_id: "docs:shifts/run-coordination.md", url: "https://docs.example.org/shifts/run-coordination/" };
    const paths = candidates(place, []).map((one) => one.path);
    expect(paths[0]).toBe("shifts/run-coordination.md");
    expect(paths).toContain("shifts/run-coordination/index.rst");
    expect(candidates(place, []).every((one) => !one.sure)).toBe(true);
  });

  it("never leaves the folder", () => {
    const urls = ["https://gitlab.example.org/muon/menu/-/blob/main/..%2F..%2Fetc%2Fpasswd", "file:///etc/passwd", "javascript:alert(1)", "https://h/%E0%A4%A"];
    for (const url of urls) {
      for (const id of ["docs:../../etc/passwd.txt", "docs:/etc/passwd.txt", "docs:C:\\x.md", "docs:a//b.md"]) {
        expect(candidates({ document_id: id, url }, [FOLDER]).map((one) => one.path).filter((path) => !inside(path))).toEqual([]);
      }
    }
    expect(["a/../b", "/a", "a\\b", "", "a/./b", "c:d", "x".repeat(500)].filter(inside)).toEqual([]);
    expect(inside("a/b.md")).toBe(true);
  });
});
