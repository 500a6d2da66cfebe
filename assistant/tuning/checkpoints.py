"""Checkpoints that a killed training goes on from: whole ones, and of this very training.

Each has the digests of its files, written last: a training that was killed while it saved leaves
one without, which is passed over. One whose files have changed since is refused, and so is the
checkpoint of another training: gone on from it would be neither the one nor the other.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from assistant.tuning.files import digest_of
from assistant.tuning.spent import Spent
from ingest.errors import ModelError

_DIGESTS = "digests.json"
_TRAINING = "training.json"
_SPENT = "spent.json"


class Checkpoints:
    """The folder of one training's checkpoints, as the trainer of transformers names them."""

    def __init__(self, folder: Path, training: Mapping[str, object]) -> None:
        """`training` is all that makes two trainings the same: base, data, plan.

        Raises:
            ModelError: the folder holds the checkpoints of another training.
        """
        self.folder = folder
        told = json.dumps(training, sort_keys=True)
        file = folder / _TRAINING
        if file.exists():
            if file.read_text(encoding="utf-8") != told:
                msg = (
                    f"The checkpoints in {folder} are of another training: its base model, its "
                    "data or its plan were others. Remove the folder, or train into another."
                )
                raise ModelError(msg)
            return
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(told, encoding="utf-8")

    def saved(self, step: int, spent: Spent | None = None) -> None:
        """The trainer has written the checkpoint of a step: from now on it counts."""
        one = self.folder / f"checkpoint-{step}"
        (one / _SPENT).write_text(json.dumps(asdict(spent or Spent())), encoding="utf-8")
        files = sorted(path for path in one.rglob("*") if path.is_file())
        digests = {path.relative_to(one).as_posix(): digest_of(path) for path in files}
        (one / _DIGESTS).write_text(json.dumps(digests), encoding="utf-8")

    @staticmethod
    def spent(checkpoint: Path | None) -> Spent:
        """What the training had cost up to a checkpoint; nothing at the beginning."""
        if checkpoint is None:
            return Spent()
        told = json.loads((checkpoint / _SPENT).read_text(encoding="utf-8"))
        return Spent(**{**told, "not_measured": tuple(told["not_measured"])})

    def last(self) -> Path | None:
        """The checkpoint to go on from; None at the beginning.

        Raises:
            ModelError: it is not what was saved.
        """
        whole = [one for one in self.folder.glob("checkpoint-*") if (one / _DIGESTS).exists()]
        if not whole:
            return None
        last = max(whole, key=lambda one: int(one.name.rpartition("-")[2]))
        digests = json.loads((last / _DIGESTS).read_text(encoding="utf-8"))
        for name, digest in digests.items():
            file = last / name
            if not file.is_file() or digest_of(file) != digest:
                msg = (
                    f"The checkpoint {last} is damaged: {name} is not what was saved. Remove that "
                    "folder to go on from the one before it, or all of them to begin anew."
                )
                raise ModelError(msg)
        return last
