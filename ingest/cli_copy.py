"""`docent index copy`: an index from one engine to another, checked."""

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Where = "A folder, or an address such as postgresql://USER@HOST/DATABASE?schema=NAME"


def copy_index_command(
    origin: Annotated[str, typer.Argument(metavar="FROM", help=f"{Where}.")],
    target: Annotated[str, typer.Argument(metavar="TO", help=f"{Where}; there must be none yet.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was copied as JSON.")] = False,
) -> None:
    """Copy an index to another engine without embedding again, and check the copy.

    The newest generation goes over, with stored pages and cursors, so that ingestion can go on
    there: then name the new place in the settings. Both are locked meanwhile. A password is best
    given as PGPASSWORD or in ~/.pgpass.
    """
    from ingest.copying import copy_index
    from ingest.index.places import place_of

    started = time.monotonic()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("Pages", total=None)
        copied = copy_index(
            place_of(origin),
            place_of(target),
            lambda done, of: bars.update(task, completed=done, total=of),
        )
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        typer.echo(json.dumps(asdict(copied) | {"seconds": seconds}, indent=1))
        return
    typer.echo(
        f"Copied {copied.documents:,} documents in {copied.chunks:,} chunks and "
        f"{copied.pages:,} stored pages in {seconds:,} s. Counts, digests and vectors are the same;"
        f" of sampled searches {copied.dense:.0%} of the hits by meaning and {copied.lexical:.0%} "
        "by words."
    )
    if not copied.published:
        typer.echo(
            f"Generation {copied.generation} does not serve, as its original does not. To let "
            f"readers have it, run: docent generations publish {copied.generation}"
        )
