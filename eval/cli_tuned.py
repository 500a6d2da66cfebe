"""`docent eval beside` and `docent tune report`: whether another model is better, in numbers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ingest.errors import DocentError
from ingest.settings import load_settings

if TYPE_CHECKING:
    from eval.found import Opener
    from eval.tuned import Tried
    from ingest.registry import Training
    from ingest.settings import ModelsSettings

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")]


def beside(
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help="File of questions, one JSON object a line.")],
    half: Annotated[
        Literal["test", "dev"] | None,
        typer.Option(help="Only the even lines (test) or only the odd ones (dev)."),
    ] = None,
    and_swap: Annotated[
        bool, typer.Option("--swap", help="Let the other index serve if it is better.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Ask both sides of the index the same questions, in pairs; swap them when that is better.

    Exit status: 0 the second index is better (and serves, with --swap); 1 it is not shown to be.
    """
    from eval import beside as sides
    from eval import compare, report
    from eval.session import Choice
    from ingest.beside import Parts, swap

    out, err = report.consoles()
    settings = load_settings(config)
    verdict = sides.measure(Choice(questions, half), settings, _opener(context), err)
    for note in verdict.notes:
        err.print(note, markup=False, soft_wrap=True)
    swapped = verdict.better and and_swap
    if swapped:
        swap(settings, context.find_object(Parts))
    if as_json:
        told = {"better": verdict.better, "swapped": swapped, **compare.as_json(verdict.comparison)}
        typer.echo(json.dumps(told, indent=1))
    else:
        for table in compare.tables(verdict.comparison):
            report.show(table, out)
        after = f"{verdict.other.embedder} serves now." if swapped else sides.sentence(verdict)
        out.print(after, markup=False, soft_wrap=True)
    raise typer.Exit(0 if verdict.better else 1)


def tune_report(
    sets: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="NAME=BASE,TUNED",
            help="Two kept runs of a set that was tuned for; repeatable, also for other arms.",
        ),
    ],
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--other", metavar="NAME=BASE,TUNED", help="The same of a set that was not tuned for."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Registered name or folder of the model: what it cost.")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, help="So much worse the other sets may become.")
    ] = 0.01,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write it as a page, too; replaced if there.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Report base against tuned: each set in pairs with 95 % intervals, and what it cost.

    Runs are files of `docent eval answers --out` (with --arm none and --arm oracle too) or of
    `docent eval retrieval --json`, one with the base and one with the tuned model.

    Exit status: 0 no set is worse and the other sets were kept; 1 something was lost.
    """
    from eval import report, tuned
    from eval.tuned_page import page

    out, _ = report.consoles()
    models = load_settings(config).models
    training = _training(model, models) if model else None
    tried = [_tried(one, other=False) for one in sets]
    tried += [_tried(one, other=True) for one in others or ()]
    parts = tuned.parts_of(tried)
    if out_file:
        _write(out_file, page(parts, training, margin))
    if as_json:
        typer.echo(json.dumps(tuned.as_json(parts, training, margin), indent=1))
    else:
        for table in tuned.tables(parts, training, margin):
            report.show(table, out)
    lost = any(part.judged(margin) in ("worse", "lost") for part in parts)
    raise typer.Exit(1 if lost else 0)


def _tried(given: str, *, other: bool) -> "Tried":
    from eval.runs import read_run
    from eval.tuned import Tried

    name, equals, files = given.partition("=")
    before, comma, after = files.partition(",")
    if not (name and equals and comma and before and after):
        option = "--other" if other else "--set"
        msg = f"{option} {given}: write NAME=BASE,TUNED, with the files of two runs."
        raise DocentError(msg)
    return Tried(name, read_run(Path(before)), read_run(Path(after)), other)


def _training(named: str, models: "ModelsSettings") -> "Training":
    from ingest.registry import find, training_of

    card = find(named, models)
    return card.training if card else training_of(Path(named))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}."
        raise DocentError(msg) from None
    typer.echo(f"{path}: {len(text) / 1000:.0f} kB.", err=True)


def _opener(context: typer.Context) -> "Opener":
    from eval.cli import Parts

    given = context.find_object(Parts)
    if given and given.opener:
        return given.opener
    from eval.build import index_at

    return index_at
