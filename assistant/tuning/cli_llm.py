"""`docent tune data`, `llm`, `export` and `base`: a language model tuned on one's own documents."""

import json
from contextlib import ExitStack
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.tuning.cli import Config, Json, listed, named, progress, questions_of, say
from ingest.errors import DocentError
from ingest.settings import Settings, load_settings

if TYPE_CHECKING:
    from assistant.tuning.examples import ExampleCard
    from assistant.tuning.written import Writer


class Form(StrEnum):
    """What an engine reads."""

    GGUF = "gguf"
    MERGED = "merged"


def make_data(
    out: Annotated[Path, typer.Option(help="Write the examples here, and their card beside them.")],
    most: Annotated[int, typer.Option(min=1, help="So many examples at most.")] = 2_000,
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="GROUP", help="Read as a member of this group; repeatable."),
    ] = None,
    measured: Annotated[
        list[Path] | None,
        typer.Option(help="Questions that models are compared by; nothing alike is learnt."),
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option(
            help="Questions with answers, as `docent eval answers` reads them: the development "
            "half is learnt, nothing like the test half is."
        ),
    ] = None,
    licence: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE=LICENCE", help="For the card; repeatable."),
    ] = None,
    write: Annotated[
        bool,
        typer.Option(help="Have the model of the settings write questions and try the answers."),
    ] = False,
    may_refuse: Annotated[
        bool, typer.Option(help="Prompts offer the refusal: serve with model_may_refuse = true.")
    ] = True,
    missing: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of examples without the passage that answers."),
    ] = 0.25,
    seed: Annotated[int, typer.Option(help="Another one chooses others.")] = 1,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make prompts with replies from the index, to tune a language model on.

    Only what the given groups may read is learnt from: serve the model to those who may read it.
    """
    from assistant.bootstrap import searching
    from assistant.tuning.examples import (
        ANSWER,
        ExampleCard,
        counted,
        prompt_digest,
        write_examples,
    )
    from assistant.tuning.files import digest_of, write_card
    from assistant.tuning.known import read_known
    from assistant.tuning.raft import Maker
    from ingest.access import Reader

    settings = load_settings(config)
    licences = dict(named(one) for one in licence or ())
    halves = {file: read_known(file) for file in known or ()}
    questions = [question for file in measured or () for question in questions_of(file)]
    questions += [question for half in halves.values() for question in half.measured]
    answer = settings.answer.model_copy(update={"model_may_refuse": may_refuse})
    reader = Reader(frozenset(as_ or ()))
    with ExitStack() as stack:
        index, embedder, retriever = stack.enter_context(searching(settings))
        writer = _writer(settings, stack) if write else None
        bar = stack.enter_context(progress())
        maker = Maker(
            index, retriever, embedder, reader, answer,
            seed=seed, measured=questions, writer=writer, missing=missing,
            known=[one for half in halves.values() for one in half.known],
        )  # fmt: skip
        task = bar.add_task("Making examples", total=None)
        digest = write_examples(out, maker.examples(most, lambda: bar.advance(task)))
        seen = retriever.counts(reader)
    told = {source: licences.get(source, "") for source in maker.tally.sources}
    card = ExampleCard(
        digest=digest,
        groups=tuple(sorted(as_ or ())),
        generation=seen.generation,
        embedder=embedder.name,
        writer=writer.name if writer else "",
        seed=seed,
        prompt=prompt_digest(),
        answer={name: getattr(answer, name) for name in ANSWER},
        known={str(file): digest_of(file) for file in halves},
        measured={str(file): digest_of(file) for file in measured or ()},
        licences=dict(sorted(told.items())),
        **counted(maker.tally),
    )
    write_card(out, card)
    _show(card, out, as_json)


def _show(card: "ExampleCard", out: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(card), indent=1))
        return
    typer.echo(f"{card.examples} examples in {out}: {listed(card.kinds)}; {listed(card.cases)}.")
    for why, number in card.dropped.items():
        typer.echo(f"  left out: {number}, {why}")


def train_llm(
    examples: Annotated[Path, typer.Argument(help="Examples that `docent tune data` has written.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the adapter.")],
    base: Annotated[
        str, typer.Option(help="Name of the catalogue or of the hub, a folder, or a GGUF file.")
    ],
    epochs: Annotated[float, typer.Option(min=0.01, help="Times that all are read.")] = 2.0,
    batch: Annotated[int, typer.Option(min=1, help="Examples of one step.")] = 8,
    at_once: Annotated[
        int, typer.Option(min=1, help="Examples in memory together; more than 1 for a GPU.")
    ] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 2e-4,
    rank: Annotated[int, typer.Option(min=1, help="Rank of what is learnt.")] = 16,
    alpha: Annotated[int, typer.Option(min=1, help="It counts alpha / rank times.")] = 32,
    layers: Annotated[
        int, typer.Option(min=0, help="Adapt so many of the last layers, which is faster; 0: all.")
    ] = 0,
    dropout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share left out by chance.")
    ] = 0.05,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of prompt and reply.")] = 1024,
    look_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    seed: Annotated[int, typer.Option(help="Another one learns in another order.")] = 1,
    sparing: Annotated[bool, typer.Option(help="Slower, in much less memory.")] = False,
    licence: Annotated[str, typer.Option(help="Of the base, for those who get the model.")] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tune a language model by LoRA on examples; after a kill, run it again to go on."""
    from assistant.tuning.bases import base_from
    from assistant.tuning.examples import read_examples
    from assistant.tuning.llm import Plan, train
    from assistant.tuning.trained import data_of

    settings = load_settings(config)
    plan = Plan(
        epochs, batch, at_once, rate, rank, alpha, layers, dropout, max_tokens, look_every, seed,
        sparing,
    )  # fmt: skip
    learnt = read_examples(examples)
    data = data_of(examples)
    begun = base_from(base, settings.models, out / "base", say)
    told = licence or begun.licence
    trained = train(begun.model, learnt, out, plan, say, data=data, licence=told, called=base)
    if as_json:
        typer.echo(json.dumps(asdict(trained), indent=1))
    else:
        typer.echo(f"The adapter is in {trained.model}; its README.md tells how to serve it.")


def export_adapter(
    adapter: Annotated[Path, typer.Argument(help="Folder that `docent tune llm` has made.")],
    out: Annotated[Path, typer.Option(help="New folder for what is written.")],
    to: Annotated[Form, typer.Option(help="For llama.cpp, or base and adapter as one model.")],
    as_json: Json = False,
) -> None:
    """Write an adapter for llama.cpp, or merge it into its base. vLLM reads it as it is."""
    from assistant.engines import ADAPTER
    from assistant.tuning.export import merged, to_gguf

    trained = to_gguf(adapter, out) if to is Form.GGUF else merged(adapter, out)
    if as_json:
        typer.echo(json.dumps(asdict(trained), indent=1))
    elif to is Form.GGUF:
        typer.echo(f'[llm] adapter = "{out / ADAPTER}"')
    else:
        typer.echo(f"The merged model is in {out}.")


def make_base(
    model: Annotated[str, typer.Argument(help="Name of the catalogue, or a GGUF file.")],
    out: Annotated[Path, typer.Option(help="New folder for the model.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a folder of whole weights of a GGUF, for vLLM or to tune from."""
    from assistant.tuning.bases import base_from

    found = base_from(model, load_settings(config).models, out, say)
    typer.echo(json.dumps(asdict(found), indent=1) if as_json else found.model)


def _writer(settings: Settings, stack: ExitStack) -> "Writer":
    """The model of the settings, to write with.

    Raises:
        DocentError: the settings name none.
    """
    from assistant.engines import llm_from
    from assistant.tuning.written import Writer

    llm = llm_from(settings.llm, settings.models)
    if llm is None:
        msg = "--write needs a model, and [llm] model is none. Name one, or leave --write away."
        raise DocentError(msg)
    writer = Writer(llm)
    stack.callback(writer.close)
    return writer
