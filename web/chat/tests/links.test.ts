import { expect, test } from "vitest";
import { documentAddress, openable, placeOf, textFragment } from "../src/text/links";

test("only http and https may be opened", () => {
  expect(openable("https://example.org/a")).toBe("https://example.org/a");
  for (const bad of [
    "javascript:alert(1)", " javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)",
    "data:text/html,<script>1</script>", "vbscript:x", "file:///etc/passwd", "blob:https://a/b", "/relative", "", "//x",
  ]) expect(openable(bad), bad).toBeNull();
});

test("a PDF is opened at its page, a web page at its words, a file at its line", () => {
  expect(placeOf({ url: "https://a.org/x.pdf", page: 7, quote: "words here" })).toBe("https://a.org/x.pdf#page=7");
  expect(placeOf({ url: "https://a.org/view?id=3", page: 2, format: "pdf" })).toBe("https://a.org/view?id=3#page=2");
  expect(placeOf({ url: "https://a.org/f.py#L12", quote: "def f", format: "code" })).toBe("https://a.org/f.py#L12");
  expect(placeOf({ url: "https://a.org/i/3#note_9", quote: "It works now." })).toBe("https://a.org/i/3#note_9");
  expect(placeOf({ url: "https://a.org/p", quote: "It fires at 4 GeV.", anchor: "thresholds", format: "html" }))
    .toBe("https://a.org/p#thresholds:~:text=It%20fires%20at%204%20GeV.");
  expect(placeOf({ url: "https://forum.org/t/1", anchor: "/4", quote: "so", format: "discourse" })).toBe("https://forum.org/t/1/4");
  expect(placeOf({ url: "javascript:alert(1)", page: 1 })).toBeNull();
});

test("a text fragment has first and last words, and no dash or comma that means something", () => {
  expect(textFragment("a well-known, thing")).toBe("text=a%20well%2Dknown%2C%20thing");
  expect(textFragment("one two three four five six seven eight nine ten")).toBe("text=one%20two%20three%20four,seven%20eight%20nine%20ten");
  expect(textFragment("- Open an issue.\n- Attach it.")).toBe("text=Open%20an%20issue.");
  expect(textFragment("")).toBe("");
});

test("a document's address keeps every character of its id", () => {
  expect(documentAddress({ document_id: "twiki:A/B?c#d.txt", start: 1, end: 2 })).toBe("/documents/twiki%3AA%2FB%3Fc%23d.txt?start=1&end=2");
  expect(documentAddress({ document_id: "a" })).toBe("/documents/a");
});
