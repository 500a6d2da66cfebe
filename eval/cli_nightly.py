"""`docent nightly`: the one command for cron."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ingest.errors import DocentError
from ingest.settings import load_settings

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def nightly(context: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    """Ingest all sources, check what came of it with gold questions, publish it if it holds.

    Exit status: 0 the newest generation serves; 1 so too, but a source had trouble; 2 it was not
    published, or the night failed.
    """
    # Imported here: the engines take a second that `docent --help` need not wait for.
    from eval import night
    from eval.nightly import Parts
    from eval.nightly import nightly as spend

    try:
        spent = spend(load_settings(config), context.find_object(Parts))
    except DocentError as error:
        # The status that the command line gives to errors would say that something was published.
        typer.echo(f"docent: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps(night.as_json(spent), indent=1) if as_json else night.markdown(spent))
    raise typer.Exit(spent.status)
