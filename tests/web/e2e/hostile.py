"""A collection whose authors are all hostile, an assistant that repeats them, and who watches.

Every payload stands in every field: `Guard` sees what a browser would do for one that works.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

from playwright.sync_api import BrowserContext, Page

from assistant.model import (
    Answer,
    Citation,
    Contact,
    Event,
    Found,
    Notice,
    NoticeKind,
    Passage,
    Question,
    Sentence,
    Status,
    Token,
)
from assistant.queries import Reading
from ingest.access import Reader
from ingest.errors import ModelError
from ingest.filters import Filter
from ingest.index import Entry, SaidBy
from ingest.model import BlockKind, Document, Standing
from tests.web.e2e.payloads import CODE, FORMULAS, LINKS, MARKDOWN, MARKUP
from tests.web.fake import DAY, FakeAssistant, a_document

WRITTEN = tuple(way.format(link=link) for way in MARKDOWN for link in LINKS[:6])
EVERY = (*MARKUP, *LINKS, *WRITTEN, *FORMULAS, *CODE)

SAID = (*WRITTEN, *FORMULAS, *CODE, *LINKS, *MARKUP)
"""In an answer: markup that begins a block of HTML may take all that follows into it."""

PLAIN = "A plain sentence."
"""Keeps a paragraph of payloads one that a page can quote."""


def id_of(number: int) -> str:
    """The id of the page with this payload, as its source might name it: no id has a NUL."""
    return f"hostile:{number}:{EVERY[number]}".replace("\0", "")


def batches(payloads: Sequence[str], most: int) -> list[str]:
    """Texts of at most so many characters with all payloads in them, but for longer ones."""
    found = [""]
    for payload in payloads:
        if len(payload) > most:
            continue
        joined = f"{found[-1]} {payload}".strip()
        if len(joined) <= most:
            found[-1] = joined
        else:
            found.append(payload)
    return found


def hostile_document(number: int, payload: str) -> Document:
    """A page with one payload in all that its source and its author can name."""
    made = a_document(
        id_of(number), payload,
        (BlockKind.HEADING, f"Heading {payload}"),
        (BlockKind.PROSE, f"{payload} {PLAIN}"),
        (BlockKind.LIST, f"1. {payload}\n- {payload}\n  - {payload}"),
        (BlockKind.TABLE, f"head | {payload}\n{payload} | cell"),
        (BlockKind.CODE, f"{payload}\n"),
        url=payload,
    )  # fmt: skip
    standing = Standing(archived=bool(number % 2), superseded_by=payload)
    return replace(
        made, source=f"source {payload}", author=f"Author {payload}", format=payload,
        standing=standing,
    )  # fmt: skip


def hostile_documents() -> list[Document]:
    return [hostile_document(number, payload) for number, payload in enumerate(EVERY)]


class HostileAssistant(FakeAssistant):
    """Repeats the payloads, in the draft and in all parts of its answers.

    "everything" in a question answers with all of them, "nothing" finds none but comes near to all,
    "extracts" quotes all, "hold" stops after the draft, "break" fails with them. Any other question
    is repeated.
    """

    async def search(
        self,
        text: str,
        reader: Reader,
        k: int | None = 10,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        return [_passage(one) for one in self._seen(reader, only)][:k]

    async def glossary(self, reader: Reader) -> list[Entry]:
        said = (SaidBy(EVERY[0], EVERY[0], EVERY[0]),)
        return [
            *(Entry(f"GRL{number}", payload, said) for number, payload in enumerate(EVERY)),
            *(Entry(payload, payload, said) for payload in EVERY),
        ]

    async def stream(self, question: Question) -> AsyncGenerator[Event, None]:
        self.asked.append(question)
        words = set(question.text.split())
        try:
            passages = tuple(await self.search("", question.reader, None))
            few = (
                passages if words & {"everything", "nothing", "extracts", "hold"} else passages[:1]
            )
            yield Found(few)
            for text in SAID if few is passages else (question.text,):
                yield Token(f"{text}\n\n")
            if "hold" in words:
                await asyncio.Event().wait()
            if "break" in words:
                raise ModelError(" ".join(MARKUP))
            yield self._say(question, few, words)
        finally:
            self.closed += 1
            self.ended.set()

    def _say(self, question: Question, passages: tuple[Passage, ...], words: set[str]) -> Answer:
        many = len(passages) > 1
        if words & {"nothing", "missing"}:
            return Answer(
                question.text, Status.NOT_FOUND, question.text if not many else "\n".join(EVERY),
                passages=passages, model=question.text,
                contacts=tuple(Contact(one, one, one) for one in EVERY) if many else (),
                notices=(Notice(NoticeKind.MISSING, question.text),),
            )  # fmt: skip
        acronyms = " ".join(f"GRL{number}" for number in range(len(EVERY)))
        said = (f"It is {acronyms}.", *SAID) if many else (question.text,)
        citations = tuple(_citation(marker, one) for marker, one in enumerate(passages, 1))
        sentences = tuple(
            # Behind each a number, and every third is carried by nothing.
            Sentence(one, (1 + n % len(citations),) if n % 3 else (), supported=n % 3 != 0)
            for n, one in enumerate(said)
        )
        text = "\n\n".join(said)
        old = tuple(
            Notice(NoticeKind.OLD, one, (1 + n % len(citations),)) for n, one in enumerate(said)
        )
        status = Status.EXTRACTS if "extracts" in words else Status.ANSWERED
        return Answer(
            question.text, status, text, sentences, citations, passages, model=" ".join(said),
            notices=old, timings={"total_ms": 950.0},
        )  # fmt: skip


def _passage(document: Document) -> Passage:
    block = document.blocks[1]
    section = document.sections[block.section].headings
    payload = document.title
    return Passage(
        f"{document.id}@{block.start}-{block.end}", document.id, payload, document.url,
        document.source, section, document.text[block.start : block.end], block.start, block.end,
        None, DAY, 0.5, standing=document.standing,
        also=(payload, f"https://mirror.example/{payload}"),
    )  # fmt: skip


def _citation(marker: int, passage: Passage) -> Citation:
    return Citation(
        marker, passage.document_id, passage.title, passage.url, passage.source, passage.section,
        None, passage.text, passage.start, passage.end, DAY, passage.standing, passage.also,
    )  # fmt: skip


LISTEN = """
addEventListener("securitypolicyviolation", (it) =>
  breached(`policy: ${it.violatedDirective} ${it.blockedURI} ${it.sample}`), true);
"""

SWEEP = """() => {
  const bad = [];
  const tell = (what, element) => bad.push(`${what}: ${element.outerHTML.slice(0, 200)}`);
  const never = "iframe,frame,object,embed,base,img,image,video,audio,marquee,animate,"
    + "foreignObject,template,meta[http-equiv],[srcdoc],[style*=url]";
  for (const element of document.querySelectorAll(never)) tell("element", element);
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name)) tell("handler", element);
      if (!/^(xlink:)?(href|src|action|formaction|data|poster|srcset)$/i.test(name)) continue;
      const address = URL.parse(value, document.baseURI);
      if (!address || !/^https?:$/.test(address.protocol)) tell("address", element);
      else if (address.host !== location.host) {
        if (element.localName !== "a") tell("foreign", element);
        else if (!element.relList.contains("noopener")) tell("opener", element);
      }
    }
    if (element.localName === "script" && !element.src.startsWith(`${location.origin}/chat/`)) {
      tell("script", element);
    }
  }
  return bad;
}"""

MISSING = """async ([scope, wanted]) => {
  const shown = () => [...document.querySelectorAll(scope)].map((it) => it.textContent).join(" ")
    .replace(/[\\s\\x00-\\x1f]+/g, "");
  const end = performance.now() + 15000;
  let missing = wanted;
  while (missing.length && performance.now() < end) {
    await new Promise((done) => setTimeout(done, 20));
    const text = shown();
    missing = missing.filter((it) => !text.includes(it));
  }
  return missing;
}"""
"""What is not shown within some seconds."""


def squeezed(text: str) -> str:
    """A text without blanks and control characters, which some places leave out."""
    return "".join(sign for sign in text if sign > " " and not sign.isspace())


class Guard:
    """Notes everything that no page of ours may do, whatever stands in it."""

    def __init__(self, address: str) -> None:
        self.breaches: list[str] = []
        self._address = address
        self._forgiven: tuple[str, ...] = ()

    def over(self, context: BrowserContext) -> None:
        context.expose_function("pwned", lambda *_: self.breaches.append("pwned"))
        context.expose_function("breached", lambda told: self.breaches.append(told))
        context.add_init_script(LISTEN)
        context.on("console", lambda it: self._console(it.type, it.text))
        context.on("weberror", lambda it: self.breaches.append(f"error: {it.error}"))
        context.on("request", lambda it: self._there("request", it.url))
        context.on("page", self._page)

    def forgive(self, *texts: str) -> None:
        """The browser itself notes what is not found: from now on that is no breach."""
        self._forgiven = texts

    def looks(self, page: Page, scope: str = "", payloads: Sequence[str] = ()) -> None:
        """Nothing that could run is in the page, and these payloads are shown as they stand."""
        if payloads:
            missing = page.evaluate(MISSING, [scope, [squeezed(one) for one in payloads]])
            assert not missing, "\n".join(missing)
        self.breaches += page.evaluate(SWEEP)
        assert self.breaches == []

    def _page(self, page: Page) -> None:
        if len(page.context.pages) > 1:
            self.breaches.append(f"another page was opened: {page.url}")
        page.on("framenavigated", lambda frame: self._there("navigation", frame.url))
        page.on("dialog", self._dialog)

    def _dialog(self, dialog: Any) -> None:
        self.breaches.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, kind: str, text: str) -> None:
        if not any(one in text for one in self._forgiven):
            self.breaches.append(f"console {kind}: {text}")

    def _there(self, what: str, url: str) -> None:
        if not url.startswith(f"{self._address}/") and url != "about:blank":
            self.breaches.append(f"{what}: {url[:200]}")
