"""What a night did, as a noun, as Markdown and as JSON, and the folder where its reports are kept.

Page ids, failures and questions are other people's text. In the Markdown they are code spans: no
mention, link, image or heading can come out of them, wherever it is shown.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from eval.gate import Broken, Check, Lost
from ingest.report import Report

KEPT = 30
"""So many reports stay in the folder."""
NAMED = 20
"""So many pages, failures and questions of a kind are named in Markdown; JSON has more."""

Outcome = Literal["published", "unchanged", "held", "failed"]

_KINDS = {
    "new": "new",
    "changed": "changed",
    "access": "with other readers",
    "removed": "removed",
}


@dataclass(frozen=True, slots=True)
class Size:
    """What a generation holds of one source."""

    documents: int
    chunks: int


@dataclass(slots=True)
class Night:
    """What a night did, and how it came out."""

    started: datetime
    outcome: Outcome = "failed"
    why: str = ""
    """Whole sentences."""
    served: int | None = None
    """The generation that served until now; None when there was none."""
    newest: int | None = None
    sources: list[Report] = field(default_factory=list)
    before: dict[str, Size] = field(default_factory=dict)
    """Of each source, in the generation that served until now."""
    after: dict[str, Size] = field(default_factory=dict)
    check: Check | None = None
    seconds: float = 0.0
    untold: list[str] = field(default_factory=list)
    """Who could not be told, and why."""

    @property
    def status(self) -> int:
        """Of the process: 0 the newest serves, 1 so too but a source had trouble, 2 it does not."""
        if self.outcome in ("held", "failed"):
            return 2
        return 0 if all(report.well for report in self.sources) else 1

    @property
    def headline(self) -> str:
        """What happened in a few words."""
        goes_on = f"generation {self.served} goes on serving" if self.served else "nothing serves"
        match self.outcome:
            case "published":
                instead = f" instead of {self.served}" if self.served else ""
                return f"generation {self.newest} serves now{instead}"
            case "unchanged":
                return f"nothing new, {goes_on}"
            case "held":
                return f"generation {self.newest} was NOT published, {goes_on}"
            case _:
                return f"the night FAILED, {goes_on}"


def quoted(text: str, limit: int = 200) -> str:
    """Other people's text as a code span of one line, which shows it and does nothing else."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    plain = plain if len(plain) <= limit else f"{plain[: limit - 1]}…"
    # A back-tick would end the span. A mention is broken up for those who look for it in code too.
    plain = plain.replace("`", "'").replace("@", "@\u200b")
    return f"`{plain or '–'}`"


def markdown(night: Night, named: int = NAMED) -> str:
    """The report for people: at most `named` pages, failures and questions of a kind."""
    began = f"{night.started:%Y-%m-%d %H:%M} UTC"
    lines = [f"# Docent, night of {began}: {night.headline}", ""]
    why = quoted(night.why, 1000) if night.outcome == "failed" else night.why
    lines += [f"{why} It took {_duration(night.seconds)}.", ""]
    if night.check:
        lines += ["## Check", "", *_check(night.check, _fates(night.sources), named), ""]
    if night.sources:
        lines += ["## Sources", ""]
        for report in sorted(night.sources, key=lambda report: report.source):
            lines += [*_source(report, night, named), ""]
    if night.untold:
        lines += ["## Not told", "", *(f"- {quoted(told, 500)}" for told in night.untold), ""]
    return "\n".join(lines)


def as_json(night: Night) -> dict[str, Any]:
    """The report for programs."""
    told = asdict(night) | {
        "kind": "nightly",
        "started": night.started.isoformat(timespec="seconds"),
        "status": night.status,
    }
    if night.check:
        told["check"] |= {"passed": night.check.passed, "idle": night.check.idle}
    return told


def keep(night: Night, folder: Path) -> Path:
    """Put the report into the folder in both forms, drop the oldest; the path of the Markdown.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"nightly-{night.started:%Y-%m-%dT%H%M%SZ}.md"
    path.write_text(markdown(night), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(as_json(night), indent=1), encoding="utf-8")
    for old in sorted(folder.glob("nightly-*.md"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)
    return path


def _check(check: Check, fates: dict[str, str], named: int) -> Iterator[str]:
    yield (
        f"{check.questions} questions of generations {check.served} and {check.newest}, "
        f"the first {check.k} documents of each:"
    )
    yield ""
    for measure in check.measures:
        verdict = "" if measure.holds else " **too far**"
        yield (
            f"- `{measure.name}` ({measure.count}): {measure.before:.3f} → "
            f"{measure.after:.3f}, may fall by {measure.may_fall:g}{verdict}"
        )
    if check.idle:
        yield "- The generation that serves finds nothing of what is asked: this checked nothing."
    if check.broken:
        yield ""
        count = len(check.broken)
        yield f"{count} question{'s' if count > 1 else ''} lost something:"
        yield ""
        yield from (_broken(broken, fates, check.k) for broken in check.broken[:named])
        yield from _more(len(check.broken) - named)


def _broken(broken: Broken, fates: dict[str, str], k: int) -> str:
    parts = []
    if broken.lost or broken.facts:
        parts.append(f"found {broken.recall_before:.2f} → {broken.recall_after:.2f}")
    if broken.outcome_after:
        parts.append(f"answer {broken.outcome_before} → {broken.outcome_after}")
    for lost in broken.lost:
        parts.append(f"lost {quoted(lost.document_id)} ({_where(lost, fates, k)})")
    if not broken.lost:
        parts += [f"no longer says {quoted(fact)}" for fact in broken.facts]
    return f"- {quoted(broken.id)} {quoted(broken.question)}: {'; '.join(parts)}"


def _where(lost: Lost, fates: dict[str, str], k: int) -> str:
    """What became of a document, and what the night did to its page."""
    if lost.found:
        where = "says nothing more of what was asked"
    else:
        where = f"no longer among the first {k}" if lost.there else "gone, or closed to who asks"
    fate = fates.get(lost.document_id.split("#")[0], "")
    return f"{where}; {fate} tonight" if fate else where


def _fates(reports: Iterable[Report]) -> dict[str, str]:
    """What the night did to the pages that its reports name."""
    return {
        page: _KINDS[kind]
        for report in reports
        for kind, pages in report.pages.items()
        if kind in _KINDS
        for page in pages
    }


def _source(report: Report, night: Night, named: int) -> Iterator[str]:
    counts = {
        "new": report.new,
        "changed": report.changed,
        "with other readers": report.access_changed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "failed": len(report.failed),
    }
    told = ", ".join(f"{count:,} {noun}" for noun, count in counts.items() if count) or "no pages"
    yield f"### {report.source}"
    yield ""
    yield f"- {told}; {report.requests:,} requests, {_duration(report.seconds)}"
    yield from _holds(report.source, night)
    if report.trouble:
        yield f"- **stopped**: {quoted(report.trouble, 500)}"
    if report.kept_back:
        yield (
            f"- **kept back**: {report.kept_back:,} pages are no longer at the source, more than "
            "max_removed allows in one run. If that is right, run: "
            f"`docent ingest --source {report.source} --accept-removals`"
        )
    for kind, noun in _KINDS.items():
        if pages := report.pages.get(kind):
            total = counts[noun]
            shown = ", ".join(quoted(page) for page in pages[:named])
            more = f" and {total - named:,} more" if total > named else ""
            yield f"- {noun}: {shown}{more}"
    for failure in report.failed[:named]:
        yield f"- failed: {quoted(failure.page_id)} {quoted(failure.reason, 300)}"
    yield from _more(len(report.failed) - named)


def _holds(source: str, night: Night) -> Iterator[str]:
    old, new = night.before.get(source, Size(0, 0)), night.after.get(source, Size(0, 0))
    if old != new:
        yield (
            f"- {old.documents:,} → {new.documents:,} documents, "
            f"{old.chunks:,} → {new.chunks:,} chunks"
        )


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"- and {count:,} more"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
