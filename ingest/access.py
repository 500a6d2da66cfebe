"""Who is asking. Every read of an index takes a `Reader`; there is no read without one."""

from dataclasses import dataclass

from ingest.model import PUBLIC, AccessList


@dataclass(frozen=True, slots=True)
class Reader:
    """A person or a service that asks, with the groups it belongs to. `Reader()` is the public."""

    groups: frozenset[str] = frozenset()
    user: str = ""

    @property
    def principals(self) -> frozenset[str]:
        """The reader's groups with the one that everybody has."""
        return self.groups | {PUBLIC}

    def may_read(self, access: AccessList) -> bool:
        """True when one of the reader's groups is on the list. An empty list lets nobody in."""
        return not self.principals.isdisjoint(access)


ANYBODY = Reader()
"""The reader who has not signed in: sees what is public and nothing else."""
