import io
import json
from contextlib import contextmanager

import pytest
from rich.console import Console

from assistant.model import Passage
from eval.found import Owed, as_json, follow_ups, measure, ranked_names, tables
from eval.session import Choice
from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import Settings
from tests.eval.test_retrieval import Scripted

QUIET = Console(file=io.StringIO())
INSIDERS = Reader(groups=frozenset({"insiders"}))
SEEN = {"wiki:Trigger/Menu": "https://wiki/Menu", "wiki:Trigger/Prescales": "", "wiki:Daq/Run": ""}


def passage(document: str, score: float, url: str = "", also: tuple[str, ...] = ()) -> Passage:
    return Passage(
        chunk_id=f"{document}@0-1",
        document_id=document,
        title="",
        url=url,
        source="wiki",
        section=(),
        text="",
        start=0,
        end=1,
        page=None,
        updated_at=None,
        score=score,
        also=also,
    )


MENU, PRESCALES = passage("wiki:Trigger/Menu", 0.9), passage("wiki:Trigger/Prescales", 0.8)
RUN, OTHER = passage("wiki:Daq/Run", 0.7), passage("wiki:Other", 0.95)


class Index:
    """Holds the documents of `SEEN`, and "wiki:Secret" for insiders; finds what it is told to."""

    embedder = "fake-64"
    generation = 3

    def __init__(self, found) -> None:
        self.searcher = Scripted(found)
        self.closed = False

    def visible(self, reader: Reader) -> dict[str, str]:
        return SEEN | {"wiki:Secret": ""} if reader == INSIDERS else SEEN

    def chunks(self, reader: Reader) -> int:
        return 2 * len(self.visible(reader))

    @contextmanager
    def opened(self, settings: Settings):
        yield self
        self.closed = True


def fact(text: str, *where: str, required: bool = True) -> dict[str, object]:
    return {"text": text, "keys": [text], "where": list(where), "required": required}


def line(name: str, *documents: str, **changes: object) -> dict[str, object]:
    facts = [fact("40")] if documents else []
    asked = {"id": name, "question": f"{name}?", "class": "vague", "facts": facts}
    return asked | {"documents": list(documents)} | changes


LINES = [
    line("alike", "Trigger/Menu", "Trigger/Prescales"),
    line(
        "both",
        "Trigger/Menu",
        "Daq/Run",
        facts=[
            fact("40", "Trigger/Menu"),
            fact("12", "Daq/Run"),
            fact("7", "Elsewhere", required=False),
        ],
        **{"class": "multi-hop"},
    ),
    line("nothing"),
    line("secret", "Secret", "Trigger/Menu", groups=["insiders"]),
]


@pytest.fixture
def choice(tmp_path):
    def write(*lines, **chosen) -> Choice:
        path = tmp_path / "questions.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
        return Choice(path, **chosen)

    return write


def everywhere(text: str, *found: Passage) -> dict[tuple[str, str], list[Passage]]:
    return {(text, mode): list(found) for mode in ("lexical", "dense", "hybrid", "reranked")}


FOUND = (
    everywhere("alike?", PRESCALES)
    | everywhere("both?", OTHER, MENU, RUN)
    | everywhere("secret?", MENU)
)


def found(choice, *lines, standalone=False, of=FOUND):
    return measure(choice(*lines), Settings(), Index(of).opened, QUIET, standalone=standalone)


def test_a_ranking_goes_by_the_names_of_the_line_and_counts_what_has_one_name_once():
    passages = [
        passage("wiki:Other", 0.5),
        passage("mail:list.mbox#a", 0.7),
        passage("mail:list.mbox#b", 0.6),
        passage("wiki:X", 0.9, url="https://wiki/Menu"),
    ]

    ranking = ranked_names(passages, ["list.mbox", "Menu", "Absent"])

    assert ranking == ["Menu", "list.mbox", "wiki:Other"]


def test_a_copy_shown_with_other_addresses_is_each_document_that_it_stands_for():
    copy = passage("wiki:Copy", 0.9, also=("https://wiki/Menu", "wiki:Run"))

    assert ranked_names([copy, passage("wiki:Z", 0.8)], ["Run", "Menu"]) == [
        "Run",
        "Menu",
        "wiki:Z",
    ]


def test_each_question_is_scored_by_the_documents_that_its_line_names(choice):
    result = found(choice, *LINES)

    arm = result.arms[-1]
    # One of two that say the same, at place 1; both of the two needed, at 2 and 3; of the insider's
    # two one, at 1.
    assert arm.per_query["MRR@10"] == {"alike": 1, "both": 0.5, "secret": 1}
    assert arm.per_query["P@1"] == {"alike": 1, "both": 0, "secret": 1}
    assert arm.per_query["Recall@10"] == {"alike": 0.5, "both": 1, "secret": 0.5}
    assert arm.recall[2].value == pytest.approx((0.5 + 0.5 + 0.5) / 3)
    assert "Recall@100" not in arm.per_query
    # A fact without `where` stands in any of the question's documents; optional ones do not count.
    assert arm.per_query["Facts@5"] == {"alike": 1, "both": 1, "secret": 1}
    assert [one.mode for one in result.arms] == ["lexical", "dense", "hybrid", "reranked"]


def test_questions_are_searched_for_by_readers_of_their_groups_no_deeper_than_ten(choice):
    index = Index(FOUND)

    measure(choice(*LINES), Settings(), index.opened, QUIET, standalone=False)

    asked = {(text, reader.groups, k, per) for text, reader, k, _, per in index.searcher.asked}
    assert asked == {
        ("alike?", frozenset(), 10, 1),
        ("both?", frozenset(), 10, 1),
        ("secret?", INSIDERS.groups, 10, 1),
    }
    assert index.closed


def test_what_the_reader_may_not_see_is_not_asked_for(choice):
    outsider = LINES[3] | {"groups": []}

    result = found(choice, outsider)

    assert result.owed["secret"].gold == ("Trigger/Menu",)
    assert result.arms[0].per_query["Recall@10"] == {"secret": 1}
    assert result.notes() == [
        "1 named documents are not in the index for their reader and not asked for."
    ]


def test_a_question_whose_documents_are_all_away_is_scored_0_and_named(choice):
    result = found(choice, line("lost", "Gone", "Away"), LINES[2], of=everywhere("lost?", MENU))

    assert result.arms[0].per_query["nDCG@10"] == {"lost": 0}
    assert result.notes() == [
        "1 questions that no document answers were not searched for.",
        "1 questions have none of their documents in the index and are scored 0: lost.",
    ]


def test_a_search_that_fails_is_scored_0_on_everything(choice):
    broken = FOUND | {("both?", "dense"): RuntimeError("Boom.")}

    dense = found(choice, *LINES, of=broken).arms[1]

    assert dense.failures == {"both": "RuntimeError: Boom."}
    assert {name: values["both"] for name, values in dense.per_query.items()} == dict.fromkeys(
        dense.per_query, 0
    )


def test_questions_that_nothing_answers_are_no_measurement(choice):
    with pytest.raises(DocentError, match=r"No document answers any of the chosen questions of"):
        found(choice, LINES[2])


FOLLOW_UP = line(
    "f",
    "Daq/Run",
    question="And its prescale?",
    standalone="What is the prescale of run 7?",
    history=[
        {"role": "user", "content": "How long was run 7?"},
        {"role": "assistant", "content": "It took two hours."},
    ],
    **{"class": "follow-up"},
)
JOINED = "How long was run 7? And its prescale? It took two hours."
TWO_WAYS = (
    everywhere(JOINED, OTHER, RUN) | everywhere("What is the prescale of run 7?", RUN) | FOUND
)


def test_follow_ups_are_searched_for_in_their_readings_and_asked_in_full_beside_it(choice):
    result = found(choice, FOLLOW_UP, LINES[0], of=TWO_WAYS)

    query = result.owed["f"].query
    assert query.text == JOINED
    assert [reading.text for reading in query.also] == ["And its prescale?"]
    assert result.arms[0].per_query["MRR@10"] == {"f": 0.5, "alike": 1}
    history, full, difference = follow_ups(result)["reranked"]["MRR@10"]
    assert (history.value, full.value, difference.value) == (0.5, 1, -0.5)


def test_asked_in_full_the_two_ways_change_places(choice):
    result = found(choice, FOLLOW_UP, LINES[0], standalone=True, of=TWO_WAYS)

    assert result.owed["f"].query.text == "What is the prescale of run 7?"
    assert result.arms[0].per_query["MRR@10"] == {"f": 1, "alike": 1}
    history, full, difference = follow_ups(result)["reranked"]["MRR@10"]
    assert (history.value, full.value, difference.value) == (0.5, 1, -0.5)
    assert "follow-ups in full" in tables(result)[0].title


def test_the_tables_have_each_class_and_the_follow_ups(choice):
    measured, _, _, *classes, turns = tables(found(choice, *LINES, FOLLOW_UP, of=TWO_WAYS))

    assert measured.title == (
        "questions.jsonl: 4 questions, 4 documents; fake-64; 8 chunks; means with 95 % intervals"
    )
    assert [table.title for table in classes] == [
        "MRR@10 by class of question",
        "P@1 by class of question",
        "Recall@10 by class of question",
        "Facts@5 by class of question",
    ]
    assert [row[:2] for row in classes[0].rows] == [
        ("follow-up", "1"),
        ("multi-hop", "1"),
        ("vague", "2"),
    ]
    assert classes[0].rows[1][2] == "0.500 [0.500, 0.500]"
    assert turns.title.startswith("1 follow-ups, reranked")
    assert turns.rows[2][0] == "MRR@10"
    assert turns.rows[2][3] == "-0.500 [-0.500, -0.500]"


def test_without_follow_ups_there_is_no_table_of_them(choice):
    result = found(choice, *LINES)

    assert tables(result)[-1].title == "Facts@5 by class of question"
    assert as_json(result)["follow_ups"] == {"queries": 0, "arms": {}}


def test_json_says_what_was_asked_of_what_and_holds_each_query(choice):
    result = measure(
        choice(*LINES, half="dev"), Settings(), Index(FOUND).opened, QUIET, standalone=False
    )

    told = json.loads(json.dumps(as_json(result)))

    # The first and the third line; no document answers the third.
    assert told["dataset"] | {"digest": ""} == {
        "name": "questions.jsonl",
        "split": "dev",
        "classes": [],
        "digest": "",
        "documents": 3,
        "queries": 1,
        "unanswerable": 1,
        "judgements": 2,
        "notes": result.notes(),
    }
    assert (told["kind"], told["embedder"], told["generation"], told["chunks"]) == (
        "retrieval",
        "fake-64",
        3,
        6,
    )
    assert told["arms"]["reranked"]["per_query"]["P@1"] == {"alike": 1}
    assert told["classes"]["vague"]["queries"] == 1
    assert told["classes"]["vague"]["arms"]["dense"]["Recall@10"]["mean"] == 0.5
    assert told["standalone"] is False


def test_json_of_follow_ups_has_both_ways_of_every_arm(choice):
    told = as_json(found(choice, FOLLOW_UP, of=TWO_WAYS))["follow_ups"]

    assert told["queries"] == 1
    assert {mode: one["P@1"]["with_history"]["mean"] for mode, one in told["arms"].items()} == {
        "lexical": 0,
        "dense": 0,
        "hybrid": 0,
        "reranked": 0,
    }
    assert told["arms"]["lexical"]["P@1"]["in_full"]["mean"] == 1
    assert told["arms"]["lexical"]["P@1"]["difference"]["mean"] == -1


def test_facts_may_stand_in_a_document_that_the_line_does_not_name_otherwise(choice):
    odd = line("odd", "Trigger/Menu", facts=[fact("40", "Daq/Run")])

    result = found(choice, odd, of=everywhere("odd?", RUN))

    assert isinstance(result.owed["odd"], Owed)
    assert result.arms[0].per_query["Facts@5"] == {"odd": 1}
    assert result.arms[0].per_query["Recall@10"] == {"odd": 0}
