"""`docent eval propose`, `review` and `accept`: a test set of one's own, made by two."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import DocentError
from ingest.settings import load_settings

if TYPE_CHECKING:
    from assistant.llm import LLM
    from assistant.retrieve import Retriever
    from eval.proposals import Proposal
    from eval.propose import Tally
    from eval.report import Table
    from ingest.index import Index

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")]
Proposed = Annotated[Path, typer.Argument(help="File of `docent eval propose`.")]
Questions = Annotated[
    Path, typer.Option("--out", help="File of questions that accepted ones are put behind.")
]


@dataclass(frozen=True, slots=True)
class Parts:
    """What questions are made from. As the context's object, it takes the place of the real."""

    index: "Index"
    retriever: "Retriever"
    llm: "LLM | None"


def propose(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="File of proposals; never overwritten.")],
    count: Annotated[int, typer.Option(min=1, help="Proposals to make, of all classes.")] = 70,
    groups: Annotated[
        list[str] | None,
        typer.Option("--as", help="Only from what a member of GROUP may read; repeatable."),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="Only of this class; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed looks at other passages.")] = 0,
    llm: Annotated[
        str | None, typer.Option("--llm", help="The model that writes, or `none`: by rule.")
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option("--known", help="File of questions not to propose again; repeatable."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what --out holds and go on up to --count.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Propose questions for a test set from the index, for a person to review.

    The file holds text of pages: it is for people who may read what the given groups may read.
    """
    from eval import report
    from eval.datasets import read_questions
    from eval.drafts_llm import Writer
    from eval.proposals import append_proposal
    from eval.propose import BY_MODEL_ONLY, Maker, survey
    from ingest.access import Reader

    output, err = report.consoles()
    kinds = _kinds(classes)
    earlier = _earlier(out, resume=resume)
    asked = [question for path in known or () for question in read_questions(path)]
    parts = context.find_object(Parts) or _parts(config, llm)
    reader = Reader(frozenset(groups or ()))
    if parts.llm is None and BY_MODEL_ONLY & set(kinds):
        told = f"Without a model there is no question of class {', '.join(sorted(BY_MODEL_ONLY))}."
        err.print(told, markup=False, soft_wrap=True)
    with closing(parts.index):
        found = survey(parts.index, reader, seed)
        writer = Writer(parts.llm) if parts.llm else None
        maker = Maker(parts.retriever, reader, found, writer, asked, earlier)
        left = max(0, count - len(earlier))
        try:
            with report.progress(err, "Proposing", left) as advance:

                def keep(one: "Proposal") -> None:
                    append_proposal(out, one)
                    advance(1)

                maker.propose(kinds, left, keep)
        finally:
            if writer:
                writer.close()
    made = sum(maker.tally.proposed.values())
    if as_json:
        by = parts.llm.name if parts.llm else "rules"
        head = {"kind": "proposals", "made_with": report.made_with(), "out": str(out), "by": by}
        looked = {"earlier": len(earlier), "passages": len(found.passages)}
        typer.echo(json.dumps({**head, **looked, **_counted(maker.tally)}, indent=1))
        return
    report.show(_table(maker.tally), output)
    output.print(_sentence(out, made, left), markup=False, soft_wrap=True)


def review(
    proposed: Proposed,
    out: Questions,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Accept, edit or reject proposals on a page of this machine; stop it by Ctrl+C."""
    from eval.review import Desk, serve

    serve(Desk(proposed, out), port, typer.echo)


def accept(proposed: Proposed, out: Questions) -> None:
    """Take over the questions whose `verdict` was set to "accepted" or "edited" in an editor."""
    from eval import proposals

    read = proposals.read_proposals(proposed)
    there = proposals.known_ids(out)
    chosen = [one for one in read if one.verdict in proposals.ACCEPTED]
    for one in chosen:
        proposals.accept(out, one.question)
    again = sum(one.id in there for one in chosen)
    verdicts = Counter(one.verdict or "open" for one in read)
    told = ", ".join(f"{number} {name}" for name, number in sorted(verdicts.items()))
    typer.echo(f"{proposed}: {told}.")
    typer.echo(f"{out}: {len(chosen) - again} new, {again} brought up to date.")


def _kinds(classes: list[str] | None) -> list[str]:
    from eval.propose import CLASSES

    if unknown := sorted(set(classes or ()) - set(CLASSES)):
        msg = f"--class {unknown[0]!r} is no class of proposals. They are: {', '.join(CLASSES)}."
        raise DocentError(msg)
    return list(dict.fromkeys(classes or CLASSES))


def _earlier(out: Path, *, resume: bool) -> "list[Proposal]":
    """What the file holds, without a line that was cut while it was written."""
    from eval.proposals import read_proposals, write_proposals

    if not out.exists():
        return []
    if not resume:
        msg = f"{out} exists. Add to it by --resume, or give another --out."
        raise DocentError(msg)
    earlier = read_proposals(out)
    write_proposals(out, earlier)
    return earlier


def _parts(config: Path | None, model: str | None) -> Parts:
    from assistant.bootstrap import retrieval_from
    from assistant.engines import llm_from
    from assistant.retrieve import Retriever
    from ingest.following import embedder_of
    from ingest.index import open_index

    settings = load_settings(config)
    if model is not None:
        settings = settings.model_copy(
            update={"llm": settings.llm.model_copy(update={"model": model})}
        )
    embedder = embedder_of(settings)
    index = open_index(settings.index.place, embedder=embedder.name)
    retriever = Retriever(index, embedder, retrieval_from(settings))
    return Parts(index, retriever, llm_from(settings.llm, settings.models))


def _counted(tally: "Tally") -> dict[str, object]:
    return {
        "proposed": sum(tally.proposed.values()),
        "by_class": dict(tally.proposed),
        "not_found": dict(tally.not_found),
        "dropped": dict(tally.dropped),
    }


def _table(tally: "Tally") -> "Table":
    from eval import report

    rows = [
        (kind, str(number), str(tally.not_found[kind])) for kind, number in tally.proposed.items()
    ]
    dropped = [(f"dropped: {why}", str(number), "") for why, number in tally.dropped.items()]
    return report.Table(
        title="Proposals",
        columns=("class", "proposed", "not among the first ten"),
        rows=(*rows, *dropped),
    )


def _sentence(out: Path, made: int, wanted: int) -> str:
    if not made:
        return f"Nothing new was proposed. Give --class, --seed or --as, or look at --known. {out}"
    fewer = f" (of {wanted}: the passages give no more)" if made < wanted else ""
    return f"{out}: {made} proposals{fewer}. Next: docent eval review {out} --out questions.jsonl"
