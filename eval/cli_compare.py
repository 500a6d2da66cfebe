"""`docent eval compare`, `gate` and `report`: what kept runs say, without running anything."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ingest.errors import DocentError

AsJson = Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")]

RUN_FILE = "Rows of `docent eval answers --out`, or the output of `docent eval retrieval --json`."


def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help=RUN_FILE)],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another run over the same set.")],
    as_json: AsJson = False,
) -> None:
    """Compare two runs question by question: B minus A, with paired 95 % intervals."""
    from eval import compare as compared
    from eval import report
    from eval.runs import read_run

    out, err = report.consoles()
    comparison = compared.compare(read_run(before), read_run(after))
    for note in compared.notes(comparison):
        err.print(note, markup=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(compared.as_json(comparison), indent=1))
        return
    for table in compared.tables(comparison):
        report.show(table, out)


def gate(
    baseline: Annotated[Path, typer.Argument(help=RUN_FILE)],
    run: Annotated[Path, typer.Argument(help="The run that must not be worse, over the same set.")],
    margin: Annotated[
        list[str] | None,
        typer.Option("--margin", help="NAME=NUMBER: how much worse a measure may be; NAME=off."),
    ] = None,
    partly: Annotated[
        bool, typer.Option("--partly", help="Judge by what is in both, also if the run lacks some.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fail when a run is worse than a baseline by more than a margin.

    Exit status: 0 it is not; 1 it is worse; 2 the files or the margins cannot be used.
    """
    from eval import margins, report
    from eval.compare import compare as compared
    from eval.compare import notes
    from eval.runs import read_run

    out, err = report.consoles()
    try:
        comparison = compared(read_run(baseline), read_run(run))
        allowed = margins.margins_from(margin or (), comparison)
        verdict = margins.judge(comparison, allowed, partly=partly)
    except DocentError as error:
        # The status that the command line gives to errors would say that the run is worse.
        typer.echo(f"docent: {error}", err=True)
        raise typer.Exit(2) from None
    for note in notes(comparison):
        err.print(note, markup=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(margins.as_json(verdict), indent=1))
    else:
        for table in margins.tables(verdict):
            report.show(table, out)
        out.print(margins.sentence(verdict), markup=False, soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help=RUN_FILE)],
    out: Annotated[Path, typer.Option("--out", help="The page; one that is there is replaced.")],
    worst: Annotated[
        int, typer.Option(min=0, help="So many of the worst questions stand in it.")
    ] = 20,
) -> None:
    """Write one or more runs side by side as a page: measures, plots, the worst questions.

    The page is one file that asks nothing of any server. It holds answers and quotes as they are,
    whoever may read them: give it to people who may read the whole collection.
    """
    from eval.html import page
    from eval.runs import read_run

    text = page([read_run(run) for run in runs], worst)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{out} cannot be written: {error.strerror}."
        raise DocentError(msg) from None
    typer.echo(f"{out}: {len(runs)} runs, {len(text) / 1000:.0f} kB.")
