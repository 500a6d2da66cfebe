import json
from datetime import UTC, datetime, timedelta

import pytest

from eval.gate import Broken, Check, Lost, Measure
from eval.night import KEPT, Night, Size, as_json, keep, markdown, quoted
from ingest.model import Failure
from ingest.report import Report

AT = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)
MENU = Lost("Menu.txt", "wiki:Menu.txt#2", there=True)
GONE = Lost("Gone.txt", "wiki:Gone.txt", there=False)


def night(outcome="published", **more) -> Night:
    return Night(AT, outcome, "Because.", served=4, newest=5, seconds=132.4, **more)


def wiki(**counts) -> Report:
    report = Report("wiki", requests=1240, seconds=61.25, **counts)
    for kind in ("new", "changed", "removed", "access"):
        report.name(kind, f"wiki:{kind}.txt")
    return report


def checked(*broken: Broken, after: float = 0.8) -> Check:
    measures = (
        Measure("recall@10", 100, 0.9, after, 0.02),
        Measure("still found of wiki", 9, 1.0, 1.0, 0.5),
    )
    return Check(4, 5, 108, 10, measures, broken)


def test_a_whole_report():
    report = wiki(new=3, changed=1, removed=1, access_changed=2, unchanged=1200)
    report.failed.append(Failure("wiki:bad.pdf", "wiki", "wiki:bad.pdf is no PDF."))
    broken = Broken("q1", "What of it?", 1.0, 0.0, (MENU, GONE))
    report.name("changed", "wiki:Menu.txt")
    what = night("held", sources=[report, Report("docs")], check=checked(broken))
    what.before = {"wiki": Size(1200, 4000), "docs": Size(3, 9)}
    what.after = {"wiki": Size(1202, 40), "docs": Size(3, 9)}

    assert (
        markdown(what)
        == """\
# Docent, night of 2026-11-22 03:05 UTC: generation 5 was NOT published, \
generation 4 goes on serving

Because. It took 2 min.

## Check

108 questions of generations 4 and 5, the first 10 documents of each:

- `recall@10` (100): 0.900 → 0.800, may fall by 0.02 **too far**
- `still found of wiki` (9): 1.000 → 1.000, may fall by 0.5

1 question lost something:

- `q1` `What of it?`: found 1.00 → 0.00; \
lost `wiki:Menu.txt#2` (no longer among the first 10; changed tonight); \
lost `wiki:Gone.txt` (gone, or closed to who asks)

## Sources

### docs

- no pages; 0 requests, 0.0 s

### wiki

- 3 new, 1 changed, 2 with other readers, 1 removed, 1,200 unchanged, 1 failed; \
1,240 requests, 1 min
- 1,200 → 1,202 documents, 4,000 → 40 chunks
- new: `wiki:new.txt`
- changed: `wiki:changed.txt`, `wiki:Menu.txt`
- with other readers: `wiki:access.txt`
- removed: `wiki:removed.txt`
- failed: `wiki:bad.pdf` `wiki:bad.pdf is no PDF.`
"""
    )


def test_what_an_operator_has_to_act_on_stands_out():
    report = wiki(kept_back=30, trouble="wiki: banned until tomorrow.")
    text = markdown(night(sources=[report], untold=["The webhook was not told: no route."]))

    assert "- **stopped**: `wiki: banned until tomorrow.`" in text
    assert "- **kept back**: 30 pages are no longer at the source" in text
    assert "`docent ingest --source wiki --accept-removals`" in text
    assert "## Not told\n\n- `The webhook was not told: no route.`" in text


def test_a_question_whose_answer_broke_says_how():
    worse = Broken("q2", "Why?", 1.0, 1.0, (), (), "right", "wrong_refusal")

    assert "- `q2` `Why?`: answer right → wrong_refusal\n" in markdown(night(check=checked(worse)))


def test_a_page_that_is_found_and_says_nothing_more_is_told_so():
    emptied = Broken(
        "q1", "?", 1.0, 1.0, (Lost("Menu.txt", "wiki:Menu.txt", True, True),), ("4 GeV",)
    )
    fewer = Broken("q2", "?", 1.0, 1.0, (), ("4 GeV", "12 kHz"))
    text = markdown(night(check=checked(emptied, fewer)))

    assert "lost `wiki:Menu.txt` (says nothing more of what was asked)\n" in text
    assert "- `q2` `?`: found 1.00 → 1.00; no longer says `4 GeV`; no longer says `12 kHz`" in text


def test_a_check_that_checked_nothing_says_so():
    nothing = Check(4, 5, 2, 10, (Measure("recall@10", 2, 0.0, 0.0, 0.02),), ())

    assert "this checked nothing" in markdown(night(check=nothing))
    assert "this checked nothing" not in markdown(night(check=checked()))


def test_names_are_limited_and_the_rest_is_counted():
    report = Report("wiki", new=250)
    for n in range(250):
        report.name("new", f"wiki:{n}")
        report.failed.append(Failure(f"wiki:{n}", "wiki", "No."))
    broken = [Broken(f"q{n}", "?", 1.0, 0.0, (MENU,)) for n in range(25)]
    text = markdown(night(sources=[report], check=checked(*broken)), named=2)

    assert "- new: `wiki:0`, `wiki:1` and 248 more\n" in text
    assert text.count("- failed:") == 2
    assert "- and 248 more\n" in text
    assert text.count("found 1.00 → 0.00") == 2
    assert "- and 23 more\n" in text


@pytest.mark.parametrize(
    ("outcome", "served", "says"),
    [
        ("published", 4, "generation 5 serves now instead of 4"),
        ("published", None, "generation 5 serves now"),
        ("unchanged", 4, "nothing new, generation 4 goes on serving"),
        ("held", None, "generation 5 was NOT published, nothing serves"),
        ("failed", 4, "the night FAILED, generation 4 goes on serving"),
    ],
)
def test_the_headline_says_what_serves(outcome, served, says):
    assert Night(AT, outcome, served=served, newest=5).headline == says


@pytest.mark.parametrize(
    ("outcome", "report", "status"),
    [
        ("published", Report("a", failed=[Failure("a:1", "a", "No.")]), 0),
        ("unchanged", Report("a"), 0),
        ("published", Report("a", trouble="Banned."), 1),
        ("unchanged", Report("a", kept_back=3), 1),
        ("held", Report("a"), 2),
        ("failed", Report("a", trouble="Banned."), 2),
    ],
)
def test_the_exit_status(outcome, report, status):
    assert night(outcome, sources=[Report("b"), report]).status == status


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain `tick`", "`plain 'tick'`"),
        ("two\nlines\r\n\x1b[31mred\x1b[0m", "`two lines [31mred [0m`"),
        ("right\u202eto left\u200b", "`right to left`"),
        ("@all", "`@\u200ball`"),
        ("", "`–`"),
        ("x" * 300, f"`{'x' * 199}…`"),
    ],
)
def test_other_peoples_text_is_shown_and_does_nothing(text, shown):
    assert quoted(text) == shown


def test_an_error_of_the_night_is_other_peoples_text_too():
    failed = night("failed")
    failed.why = "wiki:@all\n# Big is not readable."

    assert "`wiki:@\u200ball # Big is not readable.` It took 2 min." in markdown(failed)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (3599, "1 h 00 min"), (5400, "1 h 30 min")],
)
def test_durations(seconds, told):
    what = night()
    what.seconds = seconds

    assert f"It took {told}." in markdown(what)


def test_json_holds_everything():
    what = night(sources=[wiki(new=3)], check=checked(Broken("q1", "?", 1.0, 0.0, (MENU,))))
    what.after = {"wiki": Size(1, 2)}

    told = json.loads(json.dumps(as_json(what)))

    assert (told["kind"], told["started"], told["status"]) == (
        "nightly",
        "2026-11-22T03:05:00+00:00",
        0,
    )
    assert (told["outcome"], told["served"], told["newest"]) == ("published", 4, 5)
    assert told["sources"][0]["pages"]["removed"] == ["wiki:removed.txt"]
    assert told["after"] == {"wiki": {"documents": 1, "chunks": 2}}
    assert (told["check"]["passed"], told["check"]["idle"]) == (False, False)
    assert told["check"]["broken"][0]["lost"][0]["document_id"] == "wiki:Menu.txt#2"


def test_the_last_thirty_reports_are_kept_in_both_forms(tmp_path):
    folder = tmp_path / "reports"
    for day in range(KEPT + 2):
        path = keep(Night(AT + timedelta(days=day), "unchanged", served=1, newest=1), folder)
    (folder / "notes.md").write_text("mine")

    keep(Night(AT + timedelta(days=KEPT + 2), "unchanged", served=1, newest=1), folder)

    assert path.name == "nightly-2026-12-23T030500Z.md"
    assert len(list(folder.glob("nightly-*.md"))) == len(list(folder.glob("*.json"))) == KEPT == 30
    assert min(path.name for path in folder.glob("*.json")) == "nightly-2026-11-25T030500Z.json"
    assert (folder / "notes.md").exists()
    assert json.loads(path.with_suffix(".json").read_text())["outcome"] == "unchanged"
