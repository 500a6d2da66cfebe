"""BM25 over index terms in Tantivy: the only file that imports tantivy.

Each generation has a folder of its own. Tantivy's segment files never change once written, so a new
generation begins as hard links to the files of the one before: readers of the old one go on, and a
commit costs what it adds. Terms are made by `ingest.index.tokens`; Tantivy only splits at spaces.
"""

import math
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import tantivy
from numpy.typing import NDArray

from ingest.index.tokens import terms

WRITER_HEAP_BYTES = 128_000_000
MAX_QUERY_TERMS = 256
"""A question longer than this is a pasted log; the rarest terms do not lie at its end."""

TERM_COST = 2
"""What a row costs as a term of a condition, in hits that are read."""
DEEPER = 4
"""How many times further to look when there were not enough."""

# Files that Tantivy rewrites in place of a name, or that belong to a running process.
_MUTABLE = {"meta.json", ".managed.json"}
_LOCKS = {".tantivy-writer.lock", ".tantivy-meta.lock"}


class LexicalEntry(Protocol):
    """What the lexical index needs to know of a chunk."""

    @property
    def row(self) -> int: ...
    @property
    def access(self) -> int: ...
    @property
    def indexed(self) -> str: ...


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    builder.add_unsigned_field("access", indexed=True, fast=True)
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def fork(old: Path | None, new: Path) -> None:
    """Start the folder of a new generation from the one before, or empty."""
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(parents=True)
    if old is None:
        return
    for file in old.iterdir():
        if file.name in _MUTABLE:
            shutil.copy2(file, new / file.name)
        elif file.name not in _LOCKS:
            try:
                os.link(file, new / file.name)
            except OSError:  # a file system without hard links
                shutil.copy2(file, new / file.name)


def write(folder: Path, added: Iterable[LexicalEntry], removed: Sequence[int]) -> None:
    """Apply a change set to a forked folder and wait until all of it is on the disk."""
    index = tantivy.Index(_schema(), path=str(folder), reuse=True)
    # One thread: the same input gives the same segments, and the cores belong to the embedder.
    writer = index.writer(heap_size=WRITER_HEAP_BYTES, num_threads=1)
    if removed:
        # Deleting by term takes a Python int for a signed term and finds nothing in this field.
        writer.delete_documents_by_query(
            tantivy.Query.term_set_query(index.schema, "row", list(removed))
        )
    for entry in added:
        document = tantivy.Document()
        document.add_unsigned("row", entry.row)
        document.add_unsigned("access", entry.access)
        document.add_text("body", " ".join(terms(entry.indexed)))
        writer.add_document(document)
    writer.commit()
    writer.garbage_collect_files()
    writer.wait_merging_threads()
    for lock in _LOCKS:
        (folder / lock).unlink(missing_ok=True)


K1 = 1.2
"""Tantivy's; it saturates the count of a word in a text."""


class LexicalReader:
    """BM25 search (k1 1.2, b 0.75: Tantivy's) over one generation."""

    def __init__(self, folder: Path) -> None:
        self._index = tantivy.Index.open(str(folder))
        self._index.config_reader("manual")
        self._index.reload()
        self._searcher = self._index.searcher()
        self._schema = self._index.schema

    def search(
        self, text: str, k: int, access: Sequence[int] | None, rows: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """The `k` best rows among those of the given access lists (None: all), as (row, score).

        `rows`, if given, restricts the search to these. The filters are conditions of the query:
        a row that is not allowed is neither ranked nor counted.
        """
        words = list(dict.fromkeys(terms(text)))[:MAX_QUERY_TERMS]
        if not words or access == [] or rows == []:
            return []
        query = self._any_of(words)
        for field, values in (("access", access), ("row", rows)):
            if values is not None:
                only = tantivy.Query.term_set_query(self._schema, field, list(values))
                query = query.and_must_match(tantivy.Query.const_score_query(only, 0.0))
        hits = self._searcher.search(query, limit=k, count=False).hits
        found = self._searcher.fast_field_values("row", [address for _, address in hits])
        pairs = [(int(row or 0), float(s)) for (s, _), row in zip(hits, found, strict=True)]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def search_among(
        self,
        text: str,
        k: int,
        access: Sequence[int] | None,
        mask: NDArray[np.bool_],
        of: int,
    ) -> list[tuple[int, float]]:
        """As `search`, among the rows that `mask` has; `of`: rows of these access lists in all.

        What is ranked and given is the same as if the mask were a condition of the query. That it
        is made only for few rows: of many, it takes less time to read on until there are enough.
        """
        rows = np.flatnonzero(mask)
        depth = 2 * k * of // max(1, len(rows))
        if TERM_COST * len(rows) <= depth:
            return self.search(text, k, access, [int(row) for row in rows])
        while True:
            hits = self.search(text, depth, access)
            found = [hit for hit in hits if mask[hit[0]]]
            if len(found) >= k or len(hits) < depth:
                return found[:k]
            depth *= DEEPER

    def reach(self, text: str) -> float:
        """The BM25 score that a text full of all words of the query would come near.

        `Σ idf·(k1 + 1)` with Lucene's `idf = ln(1 + (N - n + 0.5)/(n + 0.5))` over the whole
        collection. Against it one sees how much of the question the best hit holds.
        """
        count = self._searcher.num_docs
        words = list(dict.fromkeys(terms(text)))[:MAX_QUERY_TERMS]
        holding = (self._searcher.doc_freq("body", word) for word in words)
        return (K1 + 1) * sum(math.log(1 + (count - n + 0.5) / (n + 0.5)) for n in holding)

    def _any_of(self, words: Sequence[str]) -> tantivy.Query:
        # Built from terms, never parsed from text: a question cannot inject query syntax. OR, since
        # requiring every word of a question finds almost nothing.
        queries = [tantivy.Query.term_query(self._schema, "body", w, "freq") for w in words]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, q) for q in queries])
