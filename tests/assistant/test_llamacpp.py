"""llama.cpp in process, with the smallest real model. Its words are not checked: builds differ."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from assistant.engines import llm_from
from assistant.llamacpp import LlamaCpp, physical_cores
from assistant.llm import ChatLLM, Message, Usage
from ingest.catalogue import locate
from ingest.errors import ModelError
from ingest.settings import LLMSettings, ModelsSettings

SMALL = "smollm2-135m-instruct-q4"
PREFIX = " ".join(f"Chamber {n} belongs to sector {n % 7}." for n in range(30))


def ask(question: str) -> list[Message]:
    return [Message("system", PREFIX), Message("user", question)]


@pytest.fixture(scope="module")
def small() -> ChatLLM:
    llm = llm_from(LLMSettings(model=SMALL, max_tokens=16, context_tokens=1024), ModelsSettings())
    assert isinstance(llm, ChatLLM)
    return llm


def model(llm: ChatLLM) -> LlamaCpp:
    found = llm._model
    assert isinstance(found, LlamaCpp)
    return found


def told(usage: Usage) -> tuple[int, int]:
    assert usage.prompt_tokens is not None
    assert usage.completion_tokens is not None
    return usage.prompt_tokens, usage.completion_tokens


@pytest.mark.models
async def test_it_streams_and_gives_the_same_words_again(small):
    first = [piece async for piece in small.stream(ask("Which sector has chamber 3?"))]
    again = [piece async for piece in small.stream(ask("Which sector has chamber 3?"))]

    assert len(first) > 1
    assert all(first)
    assert "".join(first) == "".join(again)
    assert small.name == SMALL


@pytest.mark.models
async def test_a_prefix_is_read_once(small):
    seen: list[dict[str, int]] = []
    engine = model(small)._engine
    await small.warm(ask("Warm"))

    def timings(sent: str) -> bool:
        seen.extend([json.loads(sent)["timings"]] if '"timings"' in sent else [])
        return False

    request = model(small)._request([HumanMessage(PREFIX)], max_tokens=1)
    request["messages"] = [
        {"role": "system", "content": PREFIX},
        {"role": "user", "content": "And chamber 4?"},
    ]
    engine._server.handle_chat_completions(json.dumps(request), timings)

    assert seen[-1]["cache_n"] > 250
    assert seen[-1]["prompt_n"] < 20


@pytest.mark.models
async def test_tokens_are_counted_also_of_who_stops_reading(small):
    whole, part = Usage(), Usage()
    pieces = [piece async for piece in small.stream(ask("Count from 1 to 30."), whole)]
    stream = small.stream(ask("Count from 1 to 30."), part)
    await anext(stream)
    await stream.aclose()

    (read, written), (read_of_part, written_of_part) = told(whole), told(part)
    assert len(pieces) <= written <= 16
    assert read_of_part == read > 250
    assert 1 <= written_of_part <= written
    usage = model(small).invoke([HumanMessage("Say yes.")]).usage_metadata
    assert usage
    assert min(usage["input_tokens"], usage["output_tokens"]) > 0


@pytest.mark.models
async def test_who_stops_reading_stops_the_writing(small):
    engine = model(small)._engine
    stream = small.stream(ask("Tell a long story."))
    await anext(stream)
    await stream.aclose()

    # The line is free again without the other tokens having been waited for by anybody.
    assert await asyncio.wrap_future(engine.submit(None, lambda _: False)) == "loaded"
    assert engine._pending == 0


@pytest.mark.models
async def test_a_cancelled_task_stops_in_the_middle_of_a_prompt(small):
    engine = model(small)._engine
    seen: list[str] = []
    asked = model(small)._request([HumanMessage("word " * 900)])

    def stop_at_once(text: str) -> bool:
        seen.append(text)
        return True

    assert await asyncio.wrap_future(engine.submit(asked, stop_at_once)) == "stopped"
    assert seen == [""]  # one stretch of the prompt, no token

    task = asyncio.create_task(anext(small.stream([Message("user", "other " * 900)])))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await small.warm()
    assert engine._pending == 0


@pytest.mark.models
async def test_two_questions_are_answered_one_after_the_other(small):
    async def whole(question: str) -> str:
        return "".join([piece async for piece in small.stream(ask(question))])

    both = await asyncio.gather(whole("Chamber 1?"), whole("Chamber 2?"))

    assert all(both)


@pytest.mark.models
async def test_a_full_line_is_told_at_once():
    llm = LlamaCpp(path=locate(SMALL, ModelsSettings()), waiting=0)
    loading = asyncio.create_task(llm.warm())
    await asyncio.sleep(0)

    with pytest.raises(ModelError, match="0 questions are waiting"):
        await llm.warm()

    await loading
    await llm.warm()  # the line is free again


@pytest.mark.models
async def test_a_prompt_beyond_the_window_is_one_sentence(small):
    with pytest.raises(ModelError, match=r"refused a prompt: .*1024.*context_tokens"):
        await anext(small.stream([Message("user", "word " * 1500)]))


@pytest.mark.models
async def test_a_message_that_the_template_cannot_read_is_one_sentence(small):
    engine = model(small)._engine

    with pytest.raises(ModelError, match="failed on a prompt"):
        await asyncio.wrap_future(
            engine.submit({"messages": [{"role": "user", "content": 3}]}, lambda _: False)
        )


@pytest.mark.models
def test_it_can_be_called_as_langchain_calls_models(small):
    reply = model(small).invoke([HumanMessage("Say yes.")])

    assert reply.text
    assert reply.response_metadata["finish_reason"] in ("stop", "length")


@pytest.mark.models
def test_it_is_silent_and_leaves_signals_and_no_open_door():
    script = f"""
import os, signal, sys
from pathlib import Path
from assistant.llamacpp import LlamaCpp
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs behind
llm = LlamaCpp(path=Path({str(locate(SMALL, ModelsSettings()))!r}), max_tokens=4)
llm.invoke("Say yes.")
assert Path("/proc/net/tcp").is_file()
links = [os.readlink(f) for f in Path("/proc/self/fd").iterdir() if os.path.islink(f)]
inodes = {{link[8:-1] for link in links if link.startswith("socket:")}}
tcp = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
assert not [line for line in tcp.splitlines()[1:] if line.split()[9] in inodes], "listens"
os.kill(os.getpid(), signal.SIGINT)
signal.sigtimedwait([], 5)
"""
    if sys.platform != "linux":
        script = script.replace("assert", "# assert")
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        timeout=60,
    )

    # Ctrl-C reaches Python (other builds of llama.cpp take it away); nothing but that was said.
    assert done.returncode == -signal.SIGINT, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Traceback")
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "llama" not in done.stderr


async def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(ModelError, match=r"no model file .*gone\.gguf.*docent models fetch"):
        await LlamaCpp(path=tmp_path / "gone.gguf").warm()


async def test_a_file_that_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF, but not really")

    with pytest.raises(ModelError, match=r"bad\.gguf cannot be loaded: .*docent models verify"):
        await LlamaCpp(path=tmp_path / "bad.gguf").warm()


def test_cores_that_share_their_threads_count_once(tmp_path):
    cpus = sorted(os.sched_getaffinity(0))
    for cpu in cpus:
        (tmp_path / f"cpu{cpu}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}/topology/thread_siblings_list").write_text(f"{cpus[0]}-{cpus[-1]}\n")

    assert physical_cores(tmp_path) == 1
    assert physical_cores(tmp_path / "nothing") == len(cpus)
    assert physical_cores() >= 1
