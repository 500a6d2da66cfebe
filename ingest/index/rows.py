"""The rows of an index as `store` and `visits` see them: SQL that two databases understand.

Placeholders are SQLite's, `?` and `:name`. `sqlite3.Connection` is one; another engine's
connection translates them. Statements keep to what SQLite and PostgreSQL share.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Values = Sequence[Any] | Mapping[str, Any]


class Found(Protocol):
    """What a statement gave, row by row."""

    def __iter__(self) -> Iterator[Any]: ...
    def fetchone(self) -> Any:
        """The next row; None when there is none."""

    def fetchall(self) -> list[Any]:
        """What is left."""


class Rows(Protocol):
    """A connection to the rows. Transactions are begun and ended by who opened it."""

    def execute(self, sql: str, values: Values = ..., /) -> Found:
        """Run one statement."""

    def executemany(self, sql: str, values: Iterable[Values], /) -> object:
        """Run one statement for each row of values."""


def sayable(text: str) -> bool:
    """False for half of a surrogate pair: no UTF-8 has it, and so no database and no request."""
    return text.encode("utf-8", "replace").decode() == text
