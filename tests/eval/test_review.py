import json
import re
import socket
import threading

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from eval.cli_propose import review
from eval.datasets import read_questions
from eval.proposals import Origin, Proposal, Source, append_proposal, read_proposals
from eval.review import Desk, create_app, edited, serve
from ingest.errors import DocentError
from tests.web.browser import Browser, chromium

TOKEN = "token-of-the-test"
HOSTILE = '<img src=x onerror="alert(1)"></textarea><script>alert(2)</script>'


def proposal(
    name: str, question: str = "How fast is it?", quote: str = "runs at 40 Hz"
) -> Proposal:
    asked = {
        "id": name,
        "question": question,
        "class": "identifier",
        "groups": ["staff"],
        "documents": ["w:pump"],
        "facts": [{"text": "40 Hz", "keys": ["40 Hz", "40 hertz"], "where": ["w:pump"]}],
        "answer": "40 Hz.",
    }
    source = Source(
        document="w:pump",
        title="Pumps",
        url="javascript:alert(3)",
        heading="Rates",
        text=f"The pump {quote}. {HOSTILE}",
        quote=quote,
    )
    origin = Origin(by="small", sources=[source], rank=2, also=["w:copy"])
    return Proposal.model_validate({"question": asked, "from": origin})


@pytest.fixture
def desk(tmp_path):
    path = tmp_path / "proposed.jsonl"
    for name in ("p-1", "p-2", "p-3"):
        append_proposal(path, proposal(name, f"How fast is {name}?"))
    return Desk(path, tmp_path / "questions.jsonl")


@pytest.fixture
def client(desk):
    with TestClient(create_app(desk, TOKEN), base_url="http://127.0.0.1") as client:
        yield client


def form(desk, number: int, **changes: str) -> dict[str, str]:
    """What the page sends when nothing on it was changed."""
    question = desk.all()[number - 1].question
    told = {
        "question": question.question,
        "class": question.kind,
        "answer": question.answer,
        "documents": "\r\n".join(question.documents),
        "facts.0.text": "40 Hz",
        "facts.0.keys": "40 Hz\r\n40 hertz",
        "facts.0.where": "w:pump",
        "facts.0.required": "yes",
        "facts.1.text": "",
        "facts.1.keys": "",
        "facts.1.where": "",
    }
    return {**told, "verdict": "accepted", **changes}


def send(client, number: int, fields: dict[str, str], **headers: str) -> httpx.Response:
    found: httpx.Response = client.post(
        f"/{TOKEN}/{number}", data=fields, headers=headers, follow_redirects=False
    )
    return found


def verdicts(desk) -> list[str | None]:
    return [one.verdict for one in desk.all()]


# The page ----------------------------------------------------------------------------------------


def test_the_first_open_proposal_is_shown_with_its_quote_marked(client):
    page = client.get(f"/{TOKEN}/")

    assert str(page.url).endswith("/1")
    assert "Proposal 1 of 3" in page.text
    assert "The pump <mark>runs at 40 Hz</mark>." in page.text
    assert "A search finds the right document at place 2." in page.text
    assert "w:copy" in page.text
    assert "40 Hz\n40 hertz</textarea>" in page.text


def test_texts_of_pages_are_never_markup_and_no_address_is_a_script(client):
    page = client.get(f"/{TOKEN}/1")

    assert "<img" not in page.text
    assert "&lt;img src=x" in page.text
    assert "javascript:" not in page.text
    assert page.text.count("<script") == 1
    policy = page.headers["content-security-policy"]
    nonce = re.search(r'<script nonce="([^"]+)">', page.text)
    assert nonce is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'nonce-{nonce[1]}'" in policy
    assert client.get(f"/{TOKEN}/1").headers["content-security-policy"] != policy


@pytest.mark.parametrize("path", ["/", "/x/", "/x/1", f"/{TOKEN}/9", "/docs", "/openapi.json"])
def test_without_the_token_there_is_nothing(client, path):
    page = client.get(path)
    assert page.status_code == 404
    assert "pump" not in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 403),
        ({"host": "evil.example"}, 400),
    ],
)
def test_another_sites_form_decides_nothing(client, desk, headers, status):
    assert send(client, 1, form(desk, 1), **headers).status_code == status
    wrong = client.post("/x/1", data=form(desk, 1))
    assert wrong.status_code == 404
    assert verdicts(desk) == [None, None, None]
    assert not desk.out.exists()


def test_a_form_that_is_too_large_is_not_read(client, desk):
    assert send(client, 1, form(desk, 1, answer="x" * 300_000)).status_code == 403
    assert send(client, 9, {}).status_code == 404


# Verdicts ----------------------------------------------------------------------------------------


def test_accept_reject_and_skip_are_kept_and_lead_on(client, desk):
    accepted = send(client, 1, form(desk, 1))
    assert (accepted.status_code, accepted.headers["location"]) == (303, f"/{TOKEN}/2")
    assert send(client, 2, {"verdict": "skip"}).headers["location"] == f"/{TOKEN}/3"
    # After the last one, what was skipped comes again; when nothing is left, the end.
    assert send(client, 3, {"verdict": "rejected"}).headers["location"] == f"/{TOKEN}/2"
    assert send(client, 2, form(desk, 2)).headers["location"] == f"/{TOKEN}/0"

    assert verdicts(desk) == ["accepted", "accepted", "rejected"]
    asked = read_questions(desk.out)
    assert [question.id for question in asked] == ["p-1", "p-2"]
    assert asked[0].model_copy(update={"line": 0}) == proposal("p-1", "How fast is p-1?").question
    assert "All 3 proposals are decided." in client.get(f"/{TOKEN}/").text


def test_what_was_edited_is_what_is_kept(client, desk):
    send(client, 1, form(
        desk, 1,
        question=" How often does it turn? ",
        **{"class": "vague", "facts.1.text": "it is blue", "facts.1.keys": "blue\n",
           "wrong.0.text": "50 Hz", "wrong.0.keys": "50 Hz"},
    ))  # fmt: skip

    (question,) = read_questions(desk.out)
    assert (question.question, question.kind) == ("How often does it turn?", "vague")
    assert [(f.text, f.keys, f.required) for f in question.facts] == [
        ("40 Hz", ["40 Hz", "40 hertz"], True),
        ("it is blue", ["blue"], False),
    ]
    assert [w.keys for w in question.wrong] == [["50 Hz"]]
    assert verdicts(desk)[0] == "edited"
    assert desk.all()[0].question.question == "How often does it turn?"


def test_a_second_thought_changes_the_line_in_its_place(client, desk):
    for number in (1, 2):
        send(client, number, form(desk, number))
    send(client, 1, form(desk, 1, question="How slow is it?"))

    assert [q.question for q in read_questions(desk.out)] == ["How slow is it?", "How fast is p-2?"]
    refused = send(client, 1, {"verdict": "rejected"})
    assert refused.status_code == 422
    assert "would move the lines" in refused.text
    assert verdicts(desk) == ["edited", "accepted", None]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"facts.0.required": "no"}, "at least one fact must be required"),
        ({"facts.0.keys": ""}, "facts.0.keys"),
        ({"question": "  "}, "question"),
        ({"verdict": "perhaps"}, "Nothing was chosen"),
    ],
)
def test_a_form_that_makes_no_question_is_shown_again_as_it_was(client, desk, changes, told):
    page = send(client, 1, form(desk, 1, **{"answer": "My own words.", **changes}))

    assert page.status_code == 422
    assert told in page.text
    assert "My own words." in page.text
    assert verdicts(desk)[0] is None
    assert not desk.out.exists()


def test_without_documents_it_has_to_be_refused():
    fields = {"question": "Why?", "class": "unanswerable", "documents": "", "facts.0.text": ""}
    assert not edited(proposal("p").question, fields).answerable


def test_what_is_added_meanwhile_stays(client, desk):
    append_proposal(desk.proposed, proposal("p-4"))
    send(client, 1, {"verdict": "rejected"})
    assert verdicts(desk) == ["rejected", None, None, None]


# Files -------------------------------------------------------------------------------------------


def test_lines_that_were_there_stay_as_they_are(client, desk):
    # No end of line, as an editor may leave it.
    desk.out.write_text('{"question": "Old?", "id": "old"}')
    send(client, 1, form(desk, 1))
    assert [question.id for question in read_questions(desk.out)] == ["old", "p-1"]
    assert desk.out.read_text().startswith('{"question": "Old?", "id": "old"}\n')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}\n", "line 1: question is no proposal's"),
        ("", "holds no proposal. Make some by: docent eval propose"),
        (2 * proposal("p").line(), "line 2: the id 'p' stands there twice"),
    ],
)
def test_a_file_that_is_no_file_of_proposals_is_told(tmp_path, text, told):
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(DocentError, match=re.escape(told)):
        Desk(path, tmp_path / "q.jsonl")


def test_files_that_cannot_be_read_or_written_are_told(tmp_path, desk):
    with pytest.raises(DocentError, match="cannot be read"):
        Desk(tmp_path / "none.jsonl", tmp_path / "q.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9\n")
    with pytest.raises(DocentError, match="not UTF-8"):
        Desk(tmp_path / "latin.jsonl", tmp_path / "q.jsonl")
    nowhere = Desk(desk.proposed, tmp_path / "none" / "q.jsonl")
    with pytest.raises(DocentError, match="cannot be written"):
        nowhere.decide("p-1", proposal("p-1").question, "accepted")
    assert verdicts(desk)[0] is None


def test_a_port_that_is_taken_is_told(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DocentError, match=f"port {port}.*another --port"):
            review(desk.proposed, desk.out, port)


# In a browser ------------------------------------------------------------------------------------


@pytest.fixture
def address(desk):
    """Where the real server tells that it is."""
    told: list[str] = []
    ready = threading.Event()
    stop: list[uvicorn.Server] = []

    def tell(text: str) -> None:
        told.append(text)
        ready.set()

    thread = threading.Thread(target=lambda: serve(desk, 0, tell, stop.append))
    thread.start()
    assert ready.wait(10)
    yield told[0].split()[2]
    stop[0].should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def arrives(page: Browser, selector: str, part: str) -> None:
    """Wait for a page that a form leads to: the one that is left ends what waits in it."""
    for _ in range(4):
        try:
            return page.shows(selector, part)
        except RuntimeError as error:
            if "navigated" not in str(error):
                raise
    return page.shows(selector, part)


def test_keys_decide_in_a_real_browser(address, desk):
    executable = chromium()
    if executable is None:
        pytest.skip("No Chromium is installed here, so the page is not tried in a browser.")
    with Browser(executable) as page:
        page.open(address)
        page.shows("h1", "Proposal 1 of 3")
        assert page.run("document.querySelector('mark').innerText") == "runs at 40 Hz"

        page.press("a", 65)
        arrives(page, "h1", "Proposal 2 of 3")
        # In a field letters are text; Escape leaves it.
        page.press("e", 69)
        page.run("document.getElementById('question').select()")
        page.type("Is a rare word rejected?")
        page.press("Escape", 27)
        page.press("a", 65)
        arrives(page, "h1", "Proposal 3 of 3")
        page.press("r", 82)
        arrives(page, "body", "All 3 proposals are decided.")
        assert page.messages == []
    assert verdicts(desk) == ["accepted", "edited", "rejected"]
    assert read_questions(desk.out)[1].question == "Is a rare word rejected?"
    assert json.loads(desk.proposed.read_text().splitlines()[2])["verdict"] == "rejected"
    assert len(read_proposals(desk.proposed)) == 3
