"""The errors of Docent, each one there because somebody catches it.

    DocentError                 a sentence for the user; the command line exits with 1
    ├── SettingsError           a wrong setting: names the key, the value, what is allowed
    ├── ParseError              a page that cannot be read; becomes a Failure row
    ├── FetchError              one request got no usable answer; becomes a Failure row
    ├── SourceTrouble           a source as a whole cannot be read now; the others go on
    ├── ModelError              weights missing or damaged, or a model server that is away
    └── IndexTrouble            something about the index on disk
        ├── IndexMissing        there is none yet
        ├── IndexMismatch       built with another model, chunker or version
        ├── IndexDamaged        a file's digest is not the one in the manifest
        └── IndexBusy           another process is writing

Misuse by our own code raises TypeError, ValueError or RuntimeError.
"""


class DocentError(Exception):
    """Something the user can act on. The message is one sentence: what, to what, what to do."""


class SettingsError(DocentError):
    """A setting is wrong; start-up stops."""


class ParseError(DocentError):
    """A page cannot be turned into documents."""


class FetchError(DocentError):
    """One request got no usable answer.

    `status` is the HTTP status, 0 when there was none (refused address, cut body, time-out), and
    401 for a sign-in page, whatever status it came with.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class SourceTrouble(DocentError):
    """A source cannot be read now: away, banned, out of its budget. What was read is kept."""


class ModelError(DocentError):
    """A model is missing, damaged or away."""


class IndexTrouble(DocentError):
    """Something about the index on disk."""


class IndexMissing(IndexTrouble):
    """There is no index at this place yet."""


class IndexMismatch(IndexTrouble):
    """The index was built with other parts than the settings ask for."""


class IndexDamaged(IndexTrouble):
    """A file of the index is not what the manifest says it is."""


class IndexBusy(IndexTrouble):
    """Another process is writing this index."""
