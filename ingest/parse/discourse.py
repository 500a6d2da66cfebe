"""Topics of a Discourse forum, as its `/t/ID.json` gives them: a section a post, answers first."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import day, fold, moment, safe_url, text_of
from ingest.parse.htmlwalk import Walker, flat_text, soup_of
from ingest.parse.jsontext import load_json, named

_SHOWN = frozenset({1, 2})
"""Post types that a reader sees: posts and those of moderators, not small actions and whispers."""


def parse(page: Page) -> list[Document]:
    """The one document of a topic.

    The post that was accepted as the solution stands right after the question.

    Raises:
        ParseError: for another thing than a topic.
    """
    topic = load_json(page)
    stream = topic.get("post_stream") if isinstance(topic, Mapping) else None
    given = stream.get("posts") if isinstance(stream, Mapping) else None
    if not isinstance(given, list):
        msg = f"{page.id} holds no topic of Discourse. Set its format."
        raise ParseError(msg)
    posts = [post for post in given if isinstance(post, Mapping) and is_shown(post)]
    builder = DocumentBuilder(page, title=text_of(topic, "title"))
    if posts:
        builder.author = _author(posts[0])
        sent = [found for post in posts if (found := moment(post.get("created_at")))]
        builder.updated_at = max(sent, default=None)
    solutions = _solutions(topic, posts)
    builder.table(["field", "value"], _fields(topic, solved=bool(solutions)))
    for number in sorted(range(len(posts)), key=lambda n: (n > 0, n not in solutions)):
        kind = "Solution" if number in solutions else "Post"
        if number == 0 and solutions:
            kind = "Question"
        body = DocumentBuilder(page)
        _add_cooked(body, text_of(posts[number], "cooked"))
        if not body.empty:
            _add_heading(builder, kind, posts[number])
            builder.extend(body)
    return [builder.build()]


def is_shown(post: Mapping[str, Any]) -> bool:
    """True for a post that every reader of the topic sees; an administrator's key sees more."""
    gone = post.get("hidden") or post.get("deleted_at") or post.get("user_deleted")
    return post.get("post_type", 1) in _SHOWN and not gone


def _solutions(topic: Mapping[str, Any], posts: list[Mapping[str, Any]]) -> set[int]:
    """Places of the posts that were accepted as the solution; a question cannot be its own."""
    several = topic.get("accepted_answers")
    told = [topic.get("accepted_answer"), *(several if isinstance(several, list) else [])]
    numbers = {text_of(answer, "post_number") for answer in told if isinstance(answer, Mapping)}
    return {
        place
        for place, post in enumerate(posts)
        if place
        and (post.get("accepted_answer") is True or text_of(post, "post_number") in numbers - {""})
    }


def _fields(topic: Mapping[str, Any], *, solved: bool) -> Iterator[tuple[str, str]]:
    yield "title", text_of(topic, "title")
    said = {
        "category": text_of(topic, "category_name"),
        "tags": named(topic.get("tags") or [], "name"),
        "created": day(topic.get("created_at")),
        "solved": "yes" if solved else "",
        "closed": "yes" if topic.get("closed") is True else "",
        "archived": "yes" if topic.get("archived") is True else "",
    }
    yield from ((label, value) for label, value in said.items() if value)


def _author(post: Mapping[str, Any]) -> str:
    return text_of(post, "name") or text_of(post, "username") or "unknown"


def _add_heading(builder: DocumentBuilder, kind: str, post: Mapping[str, Any]) -> None:
    number, when = text_of(post, "post_number"), day(post.get("created_at"))
    text = f"{kind} by {_author(post)}"
    builder.heading(1, f"{text}, {when}" if when else text, f"/{number}" if number else "")


def _add_cooked(builder: DocumentBuilder, cooked: str) -> None:
    soup = soup_of(cooked)
    _tidy(soup)
    Walker(builder, shift=1).walk(soup)


def _tidy(soup: BeautifulSoup) -> None:
    """Take out what others said, and put into text what would be lost."""
    for tag in soup.find_all(["aside", "details", "div", "span"]):
        if tag.decomposed:
            continue
        classes = set(tag.get_attribute_list("class"))
        if "quote" in classes or "elided" in classes or {"meta"} == classes:
            tag.decompose()
        elif "onebox" in classes and tag.name == "aside":
            _as_link(soup, tag)
        elif "math" in classes:
            tag.string = f"${fold(flat_text(tag))}$"


def _as_link(soup: BeautifulSoup, preview: Tag) -> None:
    """A preview of another page becomes its title and address."""
    title = preview.find(re.compile(r"h[1-6]"))
    link = preview.find("a", href=True)
    url = preview.get("data-onebox-src") or (link.get("href") if isinstance(link, Tag) else "")
    parts = [flat_text(title) if isinstance(title, Tag) else "", safe_url(url)]
    line = soup.new_tag("p")
    line.string = ": ".join(part for part in parts if part)
    preview.replace_with(line)
