import io
import re
import subprocess
from pathlib import Path

from rich.console import Console

from eval.measures import Interval
from eval.report import Table, commit, interval, lines, made_with, number, progress, show

TABLE = Table("Sizes [bold]", ("name", "n"), (("a [red]", "1"), ("bb", "20")))


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, color_system=None)


def shown(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_plain_lines_are_aligned():
    assert lines(TABLE) == [
        "Sizes [bold]",
        "name      n",
        "a [red]   1",
        "bb       20",
    ]


def test_elsewhere_than_on_a_terminal_a_table_is_plain_lines():
    out = console(terminal=False)

    show(TABLE, out)

    assert shown(out) == "\n".join(lines(TABLE)) + "\n\n"


def test_on_a_terminal_a_table_is_drawn_and_its_cells_are_no_markup():
    out = console(terminal=True)

    show(TABLE, out)

    assert "a [red]" in shown(out)
    assert "Sizes [bold]" in shown(out)
    assert "─" in shown(out)


def test_numbers_and_intervals():
    assert interval(Interval(0.4141, 0.38, 0.4486)) == "0.414 [0.380, 0.449]"
    assert interval(None) == "–"
    assert number(2.345) == "2.3"
    assert number(None) == "–"


def test_elsewhere_progress_is_a_line_at_each_tenth():
    out = console(terminal=False)

    with progress(out, "Asking", 20) as advance:
        for _ in range(3):
            advance(1)
        advance(17)

    assert shown(out) == "Asking: 2/20\nAsking: 20/20\n"


def test_progress_of_nothing_says_nothing():
    out = console(terminal=False)

    with progress(out, "Asking", 0):
        pass

    assert shown(out) == ""


def test_on_a_terminal_progress_is_a_bar():
    out = console(terminal=True)

    with progress(out, "Asking [bold]", 2) as advance:
        advance(2)

    assert "Asking [bold]" in shown(out)
    assert "2/2" in shown(out)


def git(folder: Path, *words: str) -> None:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *names, *words]
    subprocess.run(command, check=True, capture_output=True)


def test_the_commit_is_marked_when_files_differ_from_it(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "One")
    clean = commit(tmp_path)
    (tmp_path / "file").write_text("two")

    assert re.fullmatch("[0-9a-f]{12}", clean)
    assert commit(tmp_path) == f"{clean}+"


def test_outside_of_a_checkout_there_is_no_commit(tmp_path):
    assert commit(tmp_path) == ""


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert commit(tmp_path) == ""


def test_what_a_run_was_made_with_is_told():
    assert set(made_with()) == {"date", "commit", "machine", "python"}
