"""What a person and a script see."""

import io
import json
from dataclasses import replace

import pytest
import typer
from rich.console import Console

from assistant.answer import NOT_FOUND, Assistant
from assistant.cli import EXIT_NOT_FOUND, answer_on, ask, clean, search, show_answer, show_hits
from assistant.model import Answer, Contact, Notice, NoticeKind, Question, Status
from assistant.prompt import REFUSAL
from ingest.errors import SettingsError
from ingest.model import Standing
from ingest.settings import AnswerSettings
from tests.assistant.passages import LATENCY, PHONES, FakeFinder, passage
from tests.fakes import FakeLLM, HashEmbedder

QUESTION = "What is the latency budget of the Level-1 trigger?"
RIGHT = "The latency budget of the Level-1 trigger is 3.2 us."
HOSTILE = f"{RIGHT} [red]See[/red] \x1b[31m\u202etxt"


def shown(
    *replies, text=LATENCY, first=None, as_json=False, terminal=False, llm=True, question=QUESTION
):
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=terminal, markup=False, highlight=False, soft_wrap=True,
        color_system="standard" if terminal else None,
    )  # fmt: skip
    first = first or passage(text, section=("Timing",))
    finder = FakeFinder(first, passage(PHONES, "Phones"))
    model = FakeLLM(*replies) if llm else None
    assistant = Assistant(finder, HashEmbedder(), model, AnswerSettings())
    status = answer_on(console, assistant, Question(question), as_json=as_json)
    return status, out.getvalue()


def test_an_answer_is_shown_with_title_section_address_and_quote():
    status, out = shown(RIGHT)

    assert status is Status.ANSWERED
    assert out == (
        f"{RIGHT} [1]\n\n"
        "[1] Level-1 muon trigger › Timing, updated 14 March 2026\n"
        "    https://example.org/Level-1muontrigger\n"
        f"    “{RIGHT}”\n"
    )


def test_a_terminal_sees_passages_and_the_draft_first():
    _, out = shown(RIGHT, terminal=True)
    assert out.index("Looking at:") < out.index("Phones") < out.index("latency") < out.index("“")


def test_not_found_shows_the_closest_pages():
    status, out = shown(REFUSAL, question="How long is the muon path in metres, and who laid it?")
    assert status is Status.NOT_FOUND
    assert out.startswith(f"{NOT_FOUND}\nClosest pages:\n  Level-1 muon trigger › Timing")


def test_not_found_names_what_is_missing_and_whom_to_ask():
    out = io.StringIO()
    people = (
        Contact("Petra Lindqvorn", "wrote “Phones”", "https://example.org/Phones"),
        Contact("~quay", "keeps the source wiki"),
    )
    notice = Notice(NoticeKind.MISSING, "L1_MU8 does not occur in the documents found.")
    answer = Answer(QUESTION, Status.NOT_FOUND, NOT_FOUND, notices=(notice,), contacts=people)
    show_answer(Console(file=out, soft_wrap=True), answer)

    assert out.getvalue() == (
        f"{NOT_FOUND}\n"
        "Note: L1_MU8 does not occur in the documents found.\n"
        "You may ask:\n"
        "  Petra Lindqvorn wrote “Phones”  https://example.org/Phones\n"
        "  ~quay keeps the source wiki\n"
    )


def test_extracts_say_that_they_are_extracts():
    status, out = shown(llm=False)
    assert status is Status.EXTRACTS
    assert out.startswith("The language model is not available")
    assert f"“{RIGHT}" in out


def test_unsupported_sentences_are_marked():
    _, out = shown(f"{RIGHT} Everybody likes elephants and bananas.")
    assert "bananas. [not found in the documents]" in out


def test_json_has_the_whole_answer():
    status, out = shown(RIGHT, as_json=True)
    data = json.loads(out)
    assert (status, data["status"], data["answer"]) == (Status.ANSWERED, "answered", RIGHT)
    assert data["citations"][0]["quote"] == RIGHT


@pytest.mark.parametrize("as_json", [True, False])
def test_text_of_documents_is_neither_markup_nor_terminal_control(as_json):
    _, out = shown(RIGHT, text=HOSTILE, as_json=as_json)
    assert "\x1b" not in out
    if not as_json:
        assert "\u202e" not in out


def test_hostile_text_on_a_terminal_is_shown_as_it_is_written():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, markup=False)
    show_hits(console, [passage(HOSTILE, "[bold]T[/bold]")], as_json=False)
    assert "\x1b" not in out.getvalue()
    assert "[red]See[/red]" in out.getvalue().replace("\n", " ")
    assert "[bold]T[/bold]" in out.getvalue()


def test_hits_are_ranked_and_an_empty_search_says_so():
    out = io.StringIO()
    console = Console(file=out, soft_wrap=True)
    show_hits(console, [passage("word " * 200)], as_json=False)
    show_hits(console, [], as_json=False)
    show_hits(console, [], as_json=True)
    lines = out.getvalue().splitlines()
    assert lines[0] == " 1  0.90  Level-1 muon trigger"
    assert lines[2].endswith("…")
    assert lines[3] == "Nothing was found among the documents you may read."
    assert json.loads("".join(lines[4:])) == {"hits": []}


def test_old_pages_are_marked_and_other_addresses_named():
    old = Standing(archived=True)
    gone = Standing(archived=True, superseded_by="files:New")
    hits = [
        replace(passage(LATENCY), standing=old, also=("https://example.org/copy", "files:Other")),
        replace(passage(PHONES, "Phones"), standing=gone),
    ]
    out = io.StringIO()
    show_hits(Console(file=out, soft_wrap=True), hits, as_json=False)

    told = out.getvalue()
    assert "Level-1 muon trigger (archived)\n" in told
    assert "          also at https://example.org/copy\n          also at files:Other\n" in told
    assert "Phones (superseded by files:New)\n" in told


def test_a_citation_is_marked_and_names_other_addresses():
    told = passage(LATENCY)
    told = replace(told, standing=Standing(archived=True), also=("files:Other",))
    _, out = shown(RIGHT, first=told)

    assert (
        "Note: “Level-1 muon trigger” (14 March 2026) is archived and may no longer hold. [1] [2]\n"
        "[1] Level-1 muon trigger (archived), updated 14 March 2026\n"
        "    https://example.org/Level-1muontrigger\n"
        "    also at files:Other\n"
    ) in out


def test_a_page_number_is_told():
    from dataclasses import replace

    out = io.StringIO()
    show_hits(Console(file=out, soft_wrap=True), [replace(passage("x"), page=7)], as_json=False)
    assert "Level-1 muon trigger, page 7" in out.getvalue()


def test_control_characters_are_taken_out_and_lines_stay():
    assert clean("a\x1b[31m\tb\nc\x9b\u202e") == "a[31m\tb\nc"


@pytest.mark.parametrize("command", [ask, search])
def test_a_missing_settings_file_is_an_error_of_ours(command, tmp_path):
    with pytest.raises(SettingsError, match=r"There is no settings file"):
        command("anything", config=tmp_path / "none.toml")


def test_a_script_can_tell_that_nothing_was_found():
    assert typer.Exit(EXIT_NOT_FOUND).exit_code == 3
