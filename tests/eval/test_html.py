"""The page of `docent eval report`: its curves by hand, its plots, and that it is only a page."""

import re
import sys
from datetime import UTC, datetime

import pytest
from lxml import etree, html
from typer.testing import CliRunner

from eval.answers import WrongRow
from eval.cli import eval_app
from eval.cost import Cost
from eval.curves import Point, area, found_within, recall_curve, risk_coverage
from eval.html import badness, page
from eval.measures import Interval
from eval.plots import COLOURS, Line, Words, bars, lines, shares_within
from eval.runs import ArmRun, read_run
from eval.tracking import (
    Code,
    Dataset,
    IndexRecord,
    Machine,
    ModelRecord,
    RunRecord,
    write_record,
)
from ingest.errors import DocentError
from tests.eval.kept import cited, fact, retrieval, row, written

NASTY = '<script>alert("x")</script>'
AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def record(**changes: object) -> RunRecord:
    fields: dict[str, object] = {
        "dataset": Dataset(name="questions.jsonl", digest="d" * 64, half="dev", questions=4),
        "index": IndexRecord(
            generation=7,
            created_at=AT,
            embedder="mini@1",
            chunker="blocks-1",
            parsers="p",
            digest="i" * 64,
        ),
        "models": (ModelRecord(role="llm", name="small-instruct"),),
        "prompt": "f" * 64,
        "settings": {},
        "code": Code(commit="0123456789abcdef", dirty=True),
        "machine": Machine(system="Linux", cpu="A processor", cores=2, memory_gb=24.0),
        "versions": {},
        "started": AT,
        "ended": AT,
        "cost": Cost(seconds=9.0, questions=4, prompt_tokens=123456, co2_grams=2.4),
    }
    return RunRecord.model_validate(fields | changes)


# Curves ------------------------------------------------------------------------------------------


def test_risk_grows_with_coverage_from_the_surest_answer_down():
    rows = [
        row("a", score=0.9),
        row("b", "incomplete", score=0.5),
        row("c", score=0.5),
        row("d", "wrong_answer", score=0.1),
        row("e", "wrong_refusal", score=0.05),
    ]

    curve = risk_coverage(rows)

    # Of five: one right; then two of one score, of which one is wrong; then another wrong one.
    assert curve == [Point(0.9, 0.2, 0.0), Point(0.5, 0.6, 1 / 3), Point(0.1, 0.8, 0.5)]
    # One answer at risk 0, two at 1/3, one at 1/2.
    assert area(curve) == pytest.approx((0 + 2 / 3 + 1 / 2) / 4)


def test_there_is_no_curve_without_answers_or_without_their_scores():
    assert risk_coverage([row("a", score=0.9), row("b")]) == []
    assert risk_coverage([row("a", "wrong_refusal", score=0.9)]) == []
    assert area([]) is None


def test_a_right_document_is_found_within_so_many_passages():
    three = ("x", "y", "z")
    rows = [
        row("a", gold_rank=1, retrieved=three),
        row("b", gold_rank=3, retrieved=three),
        row("c", "wrong_refusal", retrieved=three),
        row("u", "right_refusal", retrieved=("x",)),
    ]

    assert [value.value for value in found_within(rows)] == [1 / 3, 1 / 3, 2 / 3]
    assert found_within([row("of old", document_retrieved=True)]) == []


def test_the_curve_of_recall_is_as_measured_or_made_of_the_depths_that_were():
    point = {"mean": 0.5, "low": 0.4, "high": 0.6}
    old = {"Recall@100": {"1": 1.0}, "Recall@10": {"1": 0.5}, "P@1": {"1": 1.0}}

    measured = ArmRun.model_validate({"per_query": old, "recall_curve": {"2": point, "1": point}})

    assert recall_curve(measured) == {1: Interval(0.5, 0.4, 0.6), 2: Interval(0.5, 0.4, 0.6)}
    assert list(recall_curve(measured)) == [1, 2]
    assert recall_curve(ArmRun(per_query=old)) == {
        10: Interval(0.5, 0.5, 0.5),
        100: Interval(1.0, 1.0, 1.0),
    }
    assert recall_curve(ArmRun(per_query={"P@1": {"1": 1.0}})) == {}


# Plots -------------------------------------------------------------------------------------------

WORDS = Words("Recall & more", "Says <it>.", "k", "recall")


@pytest.fixture(scope="module")
def drawn():
    band = ([0.0, 0.4], [0.2, 0.6])
    series = [
        Line("_under $x_1$ <b>", [1, 2], [0.1, 0.5], *band),
        Line("nothing", [], []),
        Line("third", [1, 2], [0.2, 0.4]),
    ]
    return etree.fromstring(lines(series, WORDS, whole_x=True))


def texts(svg) -> list[str]:
    return ["".join(text.itertext()) for text in svg.iter("{*}text")]


def test_a_plot_is_named_and_described(drawn):
    title, desc = drawn.find("{*}title"), drawn.find("{*}desc")

    assert drawn.get("role") == "img"
    assert drawn.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert (title.text, desc.text) == ("Recall & more", "Says <it>.")


def test_names_of_series_are_text_and_nothing_else(drawn):
    assert "_under $x_1$ <b>" in texts(drawn)
    assert "third" in texts(drawn)
    assert "nothing" not in texts(drawn)


def test_the_page_gives_the_colours_and_a_series_keeps_its_own(drawn):
    styles = " ".join(element.get("style", "") for element in drawn.iter())

    assert "var(--series-0)" in styles
    assert "var(--series-2)" in styles
    assert "var(--series-1)" not in styles
    assert "currentColor" in styles
    assert not re.search("#[0-9a-f]{6}", styles)
    assert drawn.find(".//{*}style") is None


def test_ids_of_two_plots_do_not_clash(drawn):
    other = etree.fromstring(shares_within({"a": [0.2, 3.0], "b": []}, Words("Time", "", "s")))
    ids = [{e.get("id") for e in svg.iter() if e.get("id")} for svg in (drawn, other)]

    assert not ids[0] & ids[1]
    for svg, known in zip((drawn, other), ids, strict=True):
        whole = etree.tostring(svg, encoding="unicode")
        used = re.findall(r'(?:url\(|href=")#([^)"]+)', whole)
        assert used
        assert set(used) <= known
    assert texts(other).count("a") == 1
    assert "b" not in texts(other)


def test_bars_are_one_for_each_class_and_series():
    half = Interval(0.5, 0.25, 0.75)
    svg = etree.fromstring(
        bars({"one": {"b": half, "a": half}, "two": {"a": half, "c": None}}, WORDS)
    )
    filled = [e.get("style", "") for e in svg.iter("{*}path") if "opacity" in e.get("style", "")]

    assert [name for name in texts(svg) if len(name) == 1 and name in "abc"] == ["a", "b", "c"]
    # Two bars and one of the other series, and one of each in the legend.
    assert sum("fill: var(--series-0)" in style for style in filled) == 3
    assert sum("fill: var(--series-1)" in style for style in filled) == 2


def test_more_series_than_colours_are_drawn_too():
    svg = lines([Line(f"run {n}", [0.1], [0.5]) for n in range(COLOURS + 1)], WORDS)

    assert f"run {COLOURS}" in svg


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_a_library_that_is_missing_is_told_with_what_to_do(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    run = read_run(written(tmp_path / "a.jsonl", row("q1", score=0.5)))

    with pytest.raises(DocentError, match=r"pip install 'docent\[eval\]'"):
        page([run])


# The page ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two runs and two measurements through the command; the first run has all there can be."""
    root = tmp_path_factory.mktemp("report")
    facts = (fact("40 MHz", covered=True), fact(f"of muons {NASTY}", covered=False))
    full = [
        row(
            "q1",
            "incomplete",
            kind=NASTY,
            question=f"How fast? {NASTY}",
            answer=f"At 40 MHz. [1] {NASTY}",
            facts=facts,
            wrong=(WrongRow(text=f"30 MHz {NASTY}", said=True), WrongRow(text="20", said=False)),
            citations=(
                cited("At 40 MHz.", carries=True),
                cited(f"Lost. {NASTY}", carries=False).model_copy(
                    update={"quote": f"quoted {NASTY}", "missing": ("lost",)}
                ),
            ),
            retrieved=("a", "b"),
            gold_rank=2,
            score=0.75,
            first_token_ms=500.0,
            total_ms=1500.0,
        ),
        row("q2", score=0.9, retrieved=("a",), gold_rank=1, total_ms=900.0),
        row("u1", "wrong_answer", score=0.25, question="Who won?", total_ms=100.0),
        row("f1", "failed", reason=f"TimeoutError: {NASTY}"),
    ]
    first = written(root / "first.jsonl", *full)
    write_record(first, record())
    second = written(root / "second.jsonl", row("q1"), row("q2"), row("u1", "right_refusal"))
    curve = {f"Recall@{k}": {"1": k / 10, "2": 0.0} for k in (1, 2, 5)}
    measured = [
        retrieval(root / "r1.json", hybrid=curve | {"nDCG@10": {"1": 0.5, "2": 1.0}}),
        retrieval(root / "r2.json", digest="", dense={"P@1": {"1": 1.0}}),
    ]
    out = root / "report.html"
    words = ["report", *map(str, (first, second, *measured)), "--out", str(out), "--worst", "3"]
    done = CliRunner().invoke(eval_app, words)
    assert done.exit_code == 0, done.output
    assert f"{out}: 4 runs" in done.stdout
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(report):
    return html.fromstring(report)


def cells(tree, caption: str) -> dict[str, list[str]]:
    """The rows of a table: first cell → the others."""
    table = next(t for t in tree.iter("table") if t.findtext("caption").startswith(caption))
    rows = [[cell.text_content() for cell in tr] for tr in table.find("tbody")]
    return {first: others for first, *others in rows}


def test_nothing_of_a_run_is_markup(report, tree):
    assert "<script" not in report
    assert not tree.xpath("//script | //img | //iframe | //link | //object | //form")
    assert report.count("&lt;script&gt;") >= 7
    assert not [name for e in tree.iter() for name in e.attrib if name.startswith("on")]


def test_the_page_asks_nothing_of_anybody(report, tree):
    [policy] = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    # SVG's names are names; no browser opens them.
    addresses = set(re.findall(r"""https?://[^\s"'<]+""", report))

    assert policy.startswith("default-src 'none'")
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert {link.partition("#")[0] for link in tree.xpath("//@href")} == {""}
    assert "@import" not in report


def test_the_page_can_be_read_without_seeing_it(tree):
    ids = tree.xpath("//@id")

    assert tree.get("lang") == "en"
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tree.xpath("//nav//@href")} <= set(ids)
    for svg in tree.xpath("//*[local-name()='svg']"):
        assert set(svg.get("aria-labelledby").split()) <= set(ids)
        # The same in numbers stands below.
        assert svg.getparent().xpath(".//figcaption//table")
    assert all(th.get("scope") for th in tree.iter("th"))


def test_the_head_says_what_was_run_and_dashes_what_is_not_known(tree):
    [answers, measured] = [
        {tr[0].text_content(): [td.text_content() for td in tr[1:]] for tr in table.find("tbody")}
        for table in tree.xpath("//table[@class='head']")
    ]

    assert answers["set of questions"] == ["questions.jsonl · half dev", "–"]
    assert answers["digest of the set"] == ["d" * 16, "–"]
    assert answers["index"][0] == "generation 7, mini@1"
    assert answers["models"] == ["llm small-instruct", "fake"]
    assert answers["commit"][0] == "0123456789ab with changes"
    assert answers["machine"][0] == "A processor, 2 cores"
    assert (answers["tokens read"][0], answers["tokens written"][0]) == ("123,456", "–")
    assert answers["questions"] == ["4", "3"]
    assert measured["digest of the collection"] == ["d" * 16, "–"]
    assert measured["generation"] == ["1", "1"]
    assert measured["chunks"] == ["–", "–"]


def test_notes_say_what_has_to_be_known_first(tree, tmp_path):
    [notes] = tree.xpath("//*[@role='note']")
    broken = written(tmp_path / "broken.jsonl", row("q1"))
    write_record(broken, record(ended=None, cost=None, index=None, models=()))

    assert "first: 1 of 4 questions failed" in notes.text_content()
    assert "second: no record lies beside the rows" in notes.text_content()
    assert "broken: the run was broken off" in page([read_run(broken)])


def test_measures_have_intervals_and_runs_stand_side_by_side(tree):
    measures = cells(tree, "Measures with 95 % intervals")

    # Of three answerable ones one is right: Wilson's interval of 1/3.
    assert measures["answerable: right (answered, all required facts)"] == [
        "1/3  0.333 [0.061, 0.792]",
        "2/2  1.000 [0.342, 1.000]",
    ]
    assert measures["required facts covered"][0].startswith("2/4  0.500")
    assert measures["optional facts covered"] == ["–", "–"]
    assert cells(tree, "Time, text and tokens")["seconds in all"] == ["0.9 / 1.4", "– / –"]


def test_further_runs_are_compared_with_the_first_in_pairs(tree):
    pairs = cells(tree, "second minus first, in pairs; won 2, lost 0")

    right = pairs["answerable: right (answered, all required facts)"]
    assert right[:3] == ["2", "0.500", "1.000"]
    assert cells(tree, "second minus first")["unanswerable: refused rightly"][-1] == "better"


def test_runs_of_other_questions_stand_side_by_side_without_pairs(tmp_path):
    runs = [read_run(written(tmp_path / f"{n}.jsonl", row(n))) for n in "ab"]

    assert "in pairs" not in page(runs)


def test_numbers_stand_under_each_plot(tree):
    titles = [title.text for title in tree.xpath("//figure/h3")]

    assert titles == [
        "Risk and coverage",
        "Right document among the first passages",
        "Seconds to the first token",
        "Seconds in all",
        "Right, by class",
        "Required facts, by class",
        "Recall among the first k documents",
    ]
    # Surest first: right, wrong, wrong; of four questions three are answered.
    assert cells(tree, "Risk at so much")["first"] == [
        *("0.000", "0.500", "0.667", "0.667", "0.750", f"{(0 + 1 / 2 + 2 / 3) / 3:.3f}")
    ]
    assert cells(tree, "Right document among")["1"][0].startswith("0.333")
    assert cells(tree, "Seconds in all: percentiles")["first"][:2] == ["3", "0.90"]
    assert cells(tree, "Right, by class")["lookup"][0].startswith("0.333")
    assert list(cells(tree, "Recall among the first k")) == ["1", "2", "5"]
    measured = cells(tree, "Measures with 95 % intervals, and milliseconds")
    assert measured["r1 hybrid"][-3:] == ["10.0", "20.0", "0"]
    assert measured["r2 dense"][0] == "–"


def test_the_worst_questions_stand_open_to_reading(tree):
    [first, second, third] = tree.xpath("//details[@class='question']")
    told = " ".join(first.text_content().split())

    # It says what is wrong; the next should have been refused; the third never came.
    assert [e.find("summary/b").text for e in (first, second, third)] == ["q1", "u1", "f1"]
    assert "incomplete · right" in told
    assert "first: incomplete score 0.75" in told
    assert "Says what is wrong: 30 MHz <script>" in told
    assert "Misses: of muons" in told
    assert "2 citations, 1 carrying their sentence [1] does not carry: Lost." in told
    assert "not there: lost" in told
    assert "second: right" in told
    assert "TimeoutError" in third.text_content()


@pytest.mark.parametrize(
    ("one", "bad"),
    [
        (row("q"), 0.0),
        (row("q", citations=(cited("s", carries=False),)), 0.5),
        (row("q", "right_refusal"), 0.0),
        (row("q", "wrong_refusal"), 1.0),
        (row("q", "failed"), 1.5),
        (row("q", "incomplete"), 3.0),
        (row("q", "wrong_answer"), 4.0),
        (row("q", wrong=(WrongRow(text="w", said=True),)), 5.0),
    ],
)
def test_how_bad_a_row_is(one, bad):
    assert badness(one) == bad


def test_one_measurement_alone_names_its_arms_only(tmp_path):
    told = html.fromstring(
        page([read_run(retrieval(tmp_path / "r.json", hybrid={"P@1": {"1": 1.0}}))])
    )

    assert list(cells(told, "Measures with 95 %")) == ["hybrid"]
    assert not told.xpath("//figure")
    assert not told.xpath("//*[@role='note']")


def test_a_page_that_cannot_be_written_is_told(tmp_path):
    run = retrieval(tmp_path / "r.json", hybrid={"P@1": {"1": 1.0}})

    done = CliRunner().invoke(eval_app, ["report", str(run), "--out", str(tmp_path)])

    assert isinstance(done.exception, DocentError)
    assert "cannot be written" in str(done.exception)
