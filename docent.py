"""The `docent` command: each package contributes its sub-commands, this file joins them."""

import logging
import sys
from collections.abc import Callable

import typer

from assistant.cli import ask, search
from assistant.cli_glossary import glossary
from assistant.tuning.cli import tune
from assistant.tuning.cli_embedder import train_embedder
from assistant.tuning.cli_llm import export_adapter, make_base, make_data, train_llm
from eval.cli import eval_app
from eval.cli_nightly import nightly
from eval.cli_tuned import beside, tune_report
from ingest.cli import ingest, status
from ingest.cli_beside import index_app
from ingest.cli_copy import copy_index_command
from ingest.cli_generations import generations_app
from ingest.cli_models import models
from ingest.errors import DocentError
from web.cli import serve
from web.cli_backup import backup, restore
from web.cli_bot import bot
from web.cli_gitlab_bot import gitlab_bot
from web.cli_state import state_app
from web.mcp.cli import mcp

app = typer.Typer(
    name="docent",
    help="Answers a collaboration's questions from its documents, with checked citations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS: tuple[Callable[..., None], ...] = (
    *(ingest, search, ask, glossary, serve, bot, gitlab_bot, mcp, status, nightly),
    *(backup, restore),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(generations_app, name="generations")
app.add_typer(index_app, name="index")
app.add_typer(models, name="models")
app.add_typer(state_app, name="state")
app.add_typer(eval_app, name="eval")
index_app.command("copy")(copy_index_command)
tune.command("embedder")(train_embedder)
tune.command("data")(make_data)
tune.command("llm")(train_llm)
tune.command("export")(export_adapter)
tune.command("base")(make_base)
tune.command("report")(tune_report)
eval_app.command()(beside)
app.add_typer(tune, name="tune")


def main() -> None:
    """Run the command line; an error of ours is one sentence and exit status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except DocentError as error:
        print(f"docent: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone, as with `docent search … | head`.
        sys.exit(141)


if __name__ == "__main__":
    main()
