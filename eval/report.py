"""How results are shown, on a terminal and elsewhere, and what they were measured with."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

from eval.measures import Interval

NOTHING = "–"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain text under a title; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def show(table: Table, console: Console) -> None:
    """Print a table: drawn on a terminal, aligned lines elsewhere. Cells are never markup."""
    if console.is_terminal:
        console.print(_drawn(table))
    else:
        for line in lines(table):
            console.print(Text(line), soft_wrap=True)
    console.print()


def lines(table: Table) -> list[str]:
    """The table as aligned plain lines."""
    grid = [table.columns, *table.rows]
    widths = [max(len(row[at]) for row in grid) for at in range(len(table.columns))]
    return [
        table.title,
        *(
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in grid
        ),
    ]


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=Text(table.title), title_justify="left")
    for at, column in enumerate(table.columns):
        drawn.add_column(Text(column), justify="left" if at == 0 else "right")
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def interval(value: Interval | None, digits: int = 3) -> str:
    """`0.414 [0.380, 0.448]`, or a dash when there is nothing."""
    if value is None:
        return NOTHING
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def signed(value: Interval | None, digits: int = 3) -> str:
    """A difference: `+0.032 [+0.012, +0.053]`, or a dash when there is none."""
    if value is None:
        return NOTHING
    return f"{value.value:+.{digits}f} [{value.low:+.{digits}f}, {value.high:+.{digits}f}]"


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many digits, or a dash."""
    return NOTHING if value is None else f"{value:.{digits}f}"


@contextmanager
def progress(console: Console, what: str, total: int) -> Iterator[Advance]:
    """A bar on a terminal, a line at each tenth elsewhere. Yields `advance(count)`."""
    if not console.is_terminal:
        yield _tenths(console, what, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def _tenths(console: Console, what: str, total: int) -> Advance:
    done = told = 0

    def advance(count: int) -> None:
        nonlocal done, told
        done += count
        tenth = 10 * done // max(total, 1)
        if tenth > told:
            told = tenth
            console.print(Text(f"{what}: {done}/{total}"), soft_wrap=True)

    return advance


def made_with() -> dict[str, str]:
    """Date, commit and machine of a run, so that a number can be traced and repeated."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(Path(__file__).resolve().parent),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }


def commit(folder: Path) -> str:
    """The commit checked out at `folder`, with `+` when files differ from it; else empty."""
    git = shutil.which("git")
    if git is None:
        return ""

    def told(*words: str) -> str:
        command = [git, "-C", str(folder), *words]
        # The words are fixed and no shell reads them.
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return done.stdout.strip() if done.returncode == 0 else ""

    head = told("rev-parse", "--short=12", "HEAD")
    changed = head and told("status", "--porcelain", "--untracked-files=no")
    return f"{head}+" if changed else head


def consoles() -> tuple[Console, Console]:
    """Where results go and where progress goes."""
    return Console(file=sys.stdout), Console(file=sys.stderr)
