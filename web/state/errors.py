"""The error of the database that holds accounts and conversations."""

from ingest.errors import DocentError


class StateTrouble(DocentError):
    """The database cannot be used now: locked, full, away, or made by another Docent.

    Nothing of what was asked for has been written.
    """
