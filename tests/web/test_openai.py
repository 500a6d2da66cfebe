"""`/v1` as the clients use it that people have: the official one, LangChain's, Open WebUI."""

import base64
import json
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from tests.fakes import HashEmbedder
from tests.web.documents import BOARD, HOSTILE, MENU
from web.openai import rendered
from web.openai_tasks import reply_to

ASK = "At how many GeV does the L1_MU4 trigger fire?"
SAYS = "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations."


@pytest.fixture
def official(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="docent_x", max_retries=0) as client:
        yield client


def test_the_official_client_gets_an_answer_with_its_sources(official, assistant):
    done = official.chat.completions.create(
        model="docent",
        messages=[
            {"role": "system", "content": "Talk like a pirate."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Ask me."},
            {"role": "user", "content": [{"type": "text", "text": ASK}]},
        ],
        temperature=0.3,
        user="somebody",
    )

    (choice,) = done.choices
    text = choice.message.content
    assert text.startswith(f"{SAYS} [1]")
    assert "It has always been this way. (not found in any page)" in text
    assert "Note: The menu is of last year." in text
    assert "[1] Muon trigger menu <https://wiki.example.org/Trigger/MuonMenu>" in text
    assert choice.finish_reason == "stop"
    assert done.usage.total_tokens == 154
    assert done.docent["status"] == "answered"
    for one in choice.message.annotations:
        cited = one.url_citation
        assert text[cited.start_index : cited.end_index] in ("[1]", "[2]")
        assert cited.url.startswith("https://wiki.example.org/")
    assert choice.message.annotations[0].url_citation.title == MENU.title
    # What is no question is taken for the conversation, and instructions are not taken.
    asked = assistant.asked[0]
    assert asked.text == ASK
    assert [(turn.role, turn.content) for turn in asked.history] == [
        ("user", "Hello"), ("assistant", "Ask me."),
    ]  # fmt: skip


def test_the_official_client_streams(official):
    chunks = list(
        official.chat.completions.create(
            model="docent",
            messages=[{"role": "user", "content": ASK}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    whole = official.chat.completions.create(
        model="docent", messages=[{"role": "user", "content": ASK}]
    )

    told = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert told[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for choice in told)
    assert text == whole.choices[0].message.content
    annotations = [one for choice in told for one in getattr(choice.delta, "annotations", []) or []]
    assert annotations == [one.model_dump() for one in whole.choices[0].message.annotations]
    assert [choice.finish_reason for choice in told][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 154
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_errors_are_told_as_the_client_expects(official):
    with pytest.raises(openai.NotFoundError, match="There is no model 'gpt-9'"):
        official.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="No message has the role user"):
        official.chat.completions.create(
            model="docent", messages=[{"role": "system", "content": "x"}]
        )
    with pytest.raises(openai.BadRequestError, match="4001 characters; 4000 are read"):
        official.chat.completions.create(
            model="docent", messages=[{"role": "user", "content": "x" * 4001}]
        )
    with pytest.raises(openai.UnprocessableEntityError, match="messages"):
        official.chat.completions.create(model="docent", messages=[])
    with pytest.raises(openai.InternalServerError) as told:
        official.chat.completions.create(
            model="docent", messages=[{"role": "user", "content": f"break {ASK}"}]
        )
    assert told.value.status_code == 503
    assert "The model server went away. Start it again." in str(told.value)
    streamed = official.chat.completions.create(
        model="docent", messages=[{"role": "user", "content": f"break {ASK}"}], stream=True
    )
    with pytest.raises(openai.APIError, match="The model server went away"):
        list(streamed)


def test_who_stops_reading_stops_the_model(official, assistant):
    stream = official.chat.completions.create(
        model="docent", messages=[{"role": "user", "content": f"hold {ASK}"}], stream=True
    )
    next(stream)
    stream.close()

    # No grace: nobody can come back to this stream.
    assert assistant.ended.wait(5)


def test_models_and_embeddings(official):
    assert [model.id for model in official.models.list()] == ["docent", "docent-embeddings"]
    # The client asks for base64 by itself.
    made = official.embeddings.create(model="docent-embeddings", input=["a trigger", "a b"])
    plain = official.embeddings.create(
        model="fake-64", input="a trigger", encoding_format="float", dimensions=64
    )
    expected = HashEmbedder().embed_documents(["a trigger", "a b"])
    assert np.allclose([one.embedding for one in made.data], expected)
    assert np.allclose(plain.data[0].embedding, expected[0])
    with pytest.raises(openai.BadRequestError, match="have 64 dimensions"):
        official.embeddings.create(model="docent-embeddings", input="a", dimensions=8)
    with pytest.raises(openai.NotFoundError, match="docent-embeddings"):
        official.embeddings.create(model="text-embedding-3-small", input="a")


async def test_base64_is_of_little_endian_floats(client):
    body = {"model": "docent-embeddings", "input": "a", "encoding_format": "base64"}
    told = (await client.post("/v1/embeddings", json=body)).json()["data"][0]["embedding"]

    assert np.frombuffer(base64.b64decode(told), "<f4").tolist() == (
        HashEmbedder().embed_query("a").tolist()
    )


async def test_numbers_of_tokens_are_refused_in_a_sentence(client):
    body = {"model": "docent-embeddings", "input": [[1, 2, 3]]}
    refused = await client.post("/v1/embeddings", json=body)

    assert refused.status_code == 422
    assert refused.json()["error"]["message"] == refused.json()["detail"]
    assert refused.headers["content-type"] == "application/problem+json"


def test_langchain_asks_streams_and_embeds(address):
    model = ChatOpenAI(model="docent", base_url=f"{address}/v1", api_key=SecretStr("x"))
    assert str(model.invoke(ASK).content).startswith(f"{SAYS} [1]")
    pieces = [str(chunk.content) for chunk in model.stream(ASK)]
    assert "".join(pieces).startswith(f"{SAYS} [1]")
    assert len(pieces) > 3

    embeddings = OpenAIEmbeddings(
        model="docent-embeddings",
        openai_api_base=f"{address}/v1",
        openai_api_key=SecretStr("x"),
        # It would send numbers of another model's tokens.
        check_embedding_ctx_length=False,
    )
    expected = HashEmbedder().embed_documents(["a trigger", "a b"])
    assert np.allclose(embeddings.embed_documents(["a trigger", "a b"]), expected)
    assert np.allclose(embeddings.embed_query("a trigger"), expected[0])


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_open_webui_asks_a_question(client):
    # Its body for a chat, with the fields that it adds.
    body = {
        "stream": True,
        "model": "docent",
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": ASK},
        ],
        "params": {},
        "features": {"web_search": False},
        "metadata": {"chat_id": "1", "task": None},
        "stream_options": {"include_usage": True},
        "chat_id": "1",
        "id": "2",
        "session_id": "3",
        "max_tokens": 128,
    }
    chunks = chunks_of(await client.post("/v1/chat/completions", json=body))

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    # It takes sources from the annotations of a delta.
    (sources,) = [delta["annotations"] for delta in deltas if "annotations" in delta]
    assert sources[0]["type"] == "url_citation"
    assert sources[0]["url_citation"]["url"] == "https://wiki.example.org/Trigger/MuonMenu"
    assert chunks[-1]["usage"]["completion_tokens"] == 34


HISTORY = """### Chat History:
<chat_history>
USER: What does a shifter do when the rate of a trigger doubles, and whom does he call then?
ASSISTANT: He looks "title": at the barrel stations.
</chat_history>"""
TITLE = "What does a shifter do when the rate of a trigger doubles,…"


@pytest.mark.parametrize(
    ("task", "reply"),
    [
        ('Generate a title.\n### Output:\nJSON format: { "title": "your title" }',
         f'{{"title": "{TITLE}"}}'),
        ('Generate 1-3 broad tags.\n### Output:\nJSON format: { "tags": ["tag1"] }',
         '{"tags": []}'),
        ('Suggest follow-ups.\n### Output:\nJSON format: { "follow_ups": ["Question 1?"] }',
         '{"follow_ups": []}'),
        ('Analyze.\n### Output:\nStrictly return in JSON format: { "queries": ["query1"] }',
         '{"queries": []}'),
        ('You are an autocompletion system.\nOutput: { "text": "<completion>" }',
         '{"text": ""}'),
        ("Generate a concise, 3-5 word title.\n### Output:\nReturn ONLY the title text.", TITLE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
async def test_open_webuis_errands_cost_nothing(client, assistant, task, reply, stream):
    prompt = f"### Task:\n{task}\n{HISTORY}"
    body = {
        "model": "docent", "messages": [{"role": "user", "content": prompt}], "stream": stream,
    }  # fmt: skip
    response = await client.post("/v1/chat/completions", json=body)

    if stream:
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(response)]
        assert "".join(delta.get("content", "") for delta in deltas) == reply
    else:
        assert response.json()["choices"][0]["message"]["content"] == reply
    assert assistant.asked == []


@pytest.mark.parametrize(
    "text",
    [
        ASK,
        "What is ### Task: in a log?",
        "### Task:\nRespond to the user query using the provided context.\n<context>x</context>",
    ],
)
def test_a_question_is_no_errand(text):
    assert reply_to(text) is None


def test_an_errand_without_a_conversation_still_has_a_title():
    assert reply_to('### Task:\nA title: { "title": "x" }') == '{"title": "Conversation"}'


async def test_a_page_stays_data(client):
    body = {"model": "docent", "messages": [{"role": "user", "content": "hostile"}]}
    told = (await client.post("/v1/chat/completions", json=body)).json()

    message = told["choices"][0]["message"]
    (cited,) = [one["url_citation"] for one in message["annotations"][:1]]
    # Its own address is a script: ours is given instead.
    assert cited["url"].startswith("http://localhost:8000/documents/mail%3Ahostile?start=")
    sources = message["content"].partition("Sources:")[2]
    assert HOSTILE not in sources
    assert "javascript:" not in sources


def test_a_name_in_a_notice_or_of_a_contact_is_no_markup():
    told: dict[str, Any] = {
        "answer": "The documents do not say.",
        "sentences": [],
        "citations": [],
        "notices": [{"kind": "old", "text": "See ![x](https://evil.example/?q)", "citations": []}],
        "contacts": [{"name": "<b>A</b>", "why": "wrote [this](https://evil.example)", "url": ""}],
    }
    content, annotations = rendered(told, "http://here")

    assert annotations == []
    assert "\\!\\[x\\]\\(https" in content
    assert "\\<b\\>A" in content
    assert "](" not in content


async def test_nothing_of_a_hidden_document_comes_out(client):
    body = {"model": "docent", "messages": [{"role": "user", "content": "board"}]}
    text = (await client.post("/v1/chat/completions", json=body)).text

    assert BOARD.id not in text
    assert "5 GeV" not in text


SENTENCES = st.lists(
    st.tuples(st.text(min_size=1, max_size=12), st.lists(st.integers(1, 3), max_size=2)), max_size=4
)


@given(SENTENCES, st.booleans())
def test_every_number_is_where_its_annotation_says(sentences, apart):
    told = {
        "answer": "other words" if apart else "\n".join(text for text, _ in sentences),
        "sentences": [
            {"text": text, "citations": markers, "supported": bool(markers)}
            for text, markers in sentences
        ],
        "citations": [
            {
                "marker": n,
                "title": f"T{n}",
                "url": "",
                "document_id": f"d/{n}",
                "start": n,
                "end": 9,
            }
            for n in (1, 2, 3)
        ],
        "notices": [],
        "contacts": [],
    }
    content, annotations = rendered(told, "http://here")

    expected = [n for _, markers in sentences for n in markers]
    found = [one["url_citation"] for one in annotations]
    assert [content[one["start_index"] : one["end_index"]] for one in found] == [
        f"[{n}]" for n in expected
    ]
    assert [one["url"] for one in found] == [
        f"http://here/documents/d%2F{n}?start={n}&end=9" for n in expected
    ]
