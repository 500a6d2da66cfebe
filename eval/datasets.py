"""What is measured on: retrieval collections in BEIR layout, and files of questions with facts.

Both readers check everything before anything is run, and say in one sentence what is wrong with
which line.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest.errors import DocentError
from ingest.model import PUBLIC, Block, BlockKind, Document, Section

BEIR_SOURCE = "beir"
QRELS_HEADER = ("query-id", "corpus-id", "score")

Text = Annotated[str, Field(min_length=1)]
Half = Literal["test", "dev"]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


L = TypeVar("L", bound=_Line)


class CorpusLine(_Line):
    """One line of `corpus.jsonl`."""

    id: Text = Field(alias="_id")
    title: str = ""
    text: str


class QueryLine(_Line):
    """One line of `queries.jsonl`."""

    id: Text = Field(alias="_id")
    text: Text


@dataclass(frozen=True, slots=True)
class Collection:
    """A BEIR folder that was read and checked. The texts of its documents stay on disk."""

    folder: Path
    split: str
    digest: str
    """SHA-256 over corpus, queries and judgements: results with the same one may be compared."""
    document_count: int
    queries: Mapping[str, str]
    """Query id → text, of the queries that are owed a score: those with a relevant document."""
    qrels: Mapping[str, Mapping[str, int]]
    """Query id → document id → grade, for the same queries."""
    empty_documents: int
    """Without title and text: nothing to index, but part of the collection."""
    unknown_queries: int
    """Judged queries that `queries.jsonl` does not hold; they cannot be asked."""
    unknown_documents: int
    """Judged documents that the corpus does not hold; they stay in the qrels, as in other tools."""
    unscorable_queries: int
    """Judged queries without a relevant document; no ranking can be right or wrong for them."""

    @property
    def judgements(self) -> int:
        """How many grades the scored queries have."""
        return sum(len(grades) for grades in self.qrels.values())

    def documents(self) -> Iterator[Document]:
        """The corpus as documents that anybody may read; those without any text are left out."""
        path = self.folder / "corpus.jsonl"
        for number, raw in _json_lines(path):
            line = _checked(CorpusLine, raw, path, number)
            if line.title.strip() or line.text.strip():
                yield _document(line)

    def notes(self) -> list[str]:
        """One sentence for each thing that a reader of the numbers has to know."""
        told = [
            (self.empty_documents, "documents have neither title nor text and cannot be found"),
            (self.unknown_queries, "judged queries are not in queries.jsonl and were not asked"),
            (
                self.unknown_documents,
                "judged documents are not in corpus.jsonl and count as missed",
            ),
            (
                self.unscorable_queries,
                "judged queries have no relevant document and are not scored",
            ),
        ]
        return [f"{count} {what}." for count, what in told if count]


def beir_document_id(document_id: str) -> str:
    """The `_id` in `corpus.jsonl` of a document made by `Collection.documents`."""
    return document_id.removeprefix(f"{BEIR_SOURCE}:")


def read_collection(folder: Path, split: str = "test") -> Collection:
    """Read and check a BEIR folder: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`.

    Raises:
        DocentError: naming the file, the line and the defect.
    """
    paths = [folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"]
    digest = _digest(paths)
    document_ids, empty = _document_ids(paths[0])
    queries = _queries(paths[1])
    qrels = _qrels(paths[2])
    judged = {query: grades for query, grades in qrels.items() if query in queries}
    scored = {query: grades for query, grades in judged.items() if max(grades.values()) > 0}
    if not scored:
        msg = f"{paths[2]} holds no relevant document for any query of {paths[1]}."
        raise DocentError(msg)
    judged_documents = {document for grades in judged.values() for document in grades}
    return Collection(
        folder=folder,
        split=split,
        digest=digest,
        document_count=len(document_ids),
        queries={query: queries[query] for query in scored},
        qrels=scored,
        empty_documents=empty,
        unknown_queries=len(qrels) - len(judged),
        unknown_documents=len(judged_documents - document_ids),
        unscorable_queries=len(judged) - len(scored),
    )


def _document(line: CorpusLine) -> Document:
    # The title is embedded and indexed with every chunk through its header line, so it is not
    # put into the text a second time, unless it is all there is.
    text = line.text if line.text.strip() else line.title
    name = f"{BEIR_SOURCE}:{line.id}"
    return Document(
        id=name,
        page_id=name,
        source=BEIR_SOURCE,
        title=line.title,
        url="",
        format="text",
        text=text,
        sections=(Section(headings=()),),
        blocks=(Block(kind=BlockKind.PROSE, start=0, end=len(text), section=0),),
        access=frozenset({PUBLIC}),
    )


def _document_ids(path: Path) -> tuple[set[str], int]:
    seen: dict[str, int] = {}
    empty = 0
    for number, raw in _json_lines(path):
        line = _checked(CorpusLine, raw, path, number)
        _once(seen, line.id, path, number)
        empty += not (line.title.strip() or line.text.strip())
    return set(seen), empty


def _queries(path: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    seen: dict[str, int] = {}
    for number, raw in _json_lines(path):
        line = _checked(QueryLine, raw, path, number)
        _once(seen, line.id, path, number)
        texts[line.id] = line.text
    return texts


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        msg = f"{path}: this is not UTF-8 text."
        raise DocentError(msg) from None
    lines = text.splitlines()
    header = tuple(lines[0].split("\t")) if lines else ()
    if header != QRELS_HEADER:
        msg = f"{path}, line 1: {header!r} must be {QRELS_HEADER!r}, separated by tabs."
        raise DocentError(msg)
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            query, document, grade = _qrel(line.split("\t"), path, number)
            qrels.setdefault(query, {})[document] = grade
    return qrels


def _qrel(row: list[str], path: Path, number: int) -> tuple[str, str, int]:
    try:
        query, document, grade = row
        return query, document, int(grade)
    except ValueError:
        msg = f"{path}, line {number}: {row!r} is not a query id, a document id and a whole number."
        raise DocentError(msg) from None


# Files of questions ------------------------------------------------------------------------------


class Fact(_Line):
    """Something that a right answer says. One of `keys` has to stand in it."""

    model_config = ConfigDict(extra="forbid")

    text: Text
    required: bool = True
    keys: list[Text] = Field(min_length=1)
    where: list[Text] = []
    """The documents that say it, named as in `documents`; empty: any of the question's."""


class WrongFact(_Line):
    """Something that an answer must not say: a stale value, or that of a look-alike.

    An answer says it when one of `keys` stands in it, unless it says in the same sentence that this
    is the old value (`eval.answers`).
    """

    model_config = ConfigDict(extra="forbid")

    text: Text
    keys: list[Text] = Field(min_length=1)
    where: list[Text] = []
    """The documents that tempt to it."""


class EarlierTurn(_Line):
    """One message that came before the question."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Text


class AskedQuestion(_Line):
    """One line of a file of questions. One without `documents` has to be refused."""

    model_config = ConfigDict(extra="forbid")

    id: Text
    question: Text
    kind: Text = Field(default="all", alias="class")
    history: list[EarlierTurn] = []
    standalone: str = ""
    """A follow-up asked in full, to compare with; empty where there is no `history`."""
    groups: list[Text] = []
    documents: list[Text] = []
    facts: list[Fact] = []
    wrong: list[WrongFact] = []
    answer: str = ""
    line: int = Field(default=0, exclude=True)
    """Where it stands in its file, from 1; 0: in none. Given by `read_questions`."""

    @property
    def half(self) -> Half | Literal[""]:
        """Even lines are the test half, which nothing is tuned on; odd ones the development half.

        Empty for a question of no file.
        """
        if not self.line:
            return ""
        return "dev" if self.line % 2 else "test"

    @property
    def answerable(self) -> bool:
        """True when a document holds the answer."""
        return bool(self.documents)

    @property
    def digest(self) -> str:
        """Changes with anything on the line: tells whether an earlier result belongs to it."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _whole(self) -> "AskedQuestion":
        required = any(fact.required for fact in self.facts)
        if self.answerable and not required:
            msg = "documents are named, so at least one fact must be required"
            raise ValueError(msg)
        if self.facts and not self.answerable:
            msg = "facts are named, so the documents that hold them must be named too"
            raise ValueError(msg)
        return self


def read_questions(path: Path) -> list[AskedQuestion]:
    """Read and check a file of questions, in its own order.

    Raises:
        DocentError: naming the file, the line and the defect.
    """
    questions: list[AskedQuestion] = []
    seen: dict[str, int] = {}
    for number, raw in _json_lines(path):
        line = _checked(AskedQuestion, raw, path, number)
        _once(seen, line.id, path, number)
        questions.append(line.model_copy(update={"line": number}))
    if not questions:
        msg = f"{path} holds no question."
        raise DocentError(msg)
    return questions


def file_digest(path: Path) -> str:
    """SHA-256 of a file, so that a result says exactly what it was measured on."""
    return _digest([path])


# Shared by both ----------------------------------------------------------------------------------


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror}."
            raise DocentError(msg) from None
    return total.hexdigest()


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Number from 1 and value of each line that is not blank."""
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, json.loads(line)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise DocentError(msg) from None
    except json.JSONDecodeError as error:
        msg = f"{path}, line {number}: this is not JSON ({error.msg} at column {error.colno})."
        raise DocentError(msg) from None
    except UnicodeDecodeError:
        msg = f"{path}, after line {number}: this is not UTF-8 text."
        raise DocentError(msg) from None


def _checked(shape: type[L], raw: Any, path: Path, number: int) -> L:
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        msg = f"{path}, line {number}: {f'{where}: ' if where else ''}{told}."
        raise DocentError(msg) from None


def _once(seen: dict[str, int], name: str, path: Path, number: int) -> None:
    if name in seen:
        msg = (
            f"{path}, line {number}: the id {name!r} is also on line {seen[name]}; ids must differ."
        )
        raise DocentError(msg)
    seen[name] = number
