"""Metrics, log lines and spans: what they tell, and what they do not."""

import io
import json
import logging
import sys

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from assistant.model import Answer, Status
from ingest.errors import SettingsError
from tests.servers import Answer as Taken
from tests.servers import Request, Server
from web.logs import JsonLines, Telemetry, request_id, set_up
from web.metrics import Metrics
from web.tracing import Tracing, tracing_from


def value(metrics: Metrics, line: str) -> float:
    found = [row for row in metrics.text().decode().splitlines() if row.startswith(f"{line} ")]
    assert len(found) == 1, line
    return float(found[0].split()[-1])


def test_an_answer_is_counted_with_its_times_and_tokens():
    metrics = Metrics()
    timings = {"retrieve_ms": 20.0, "first_token_ms": 300.0, "total_ms": 4000.0}
    metrics.answered(
        Answer("q", Status.ANSWERED, "a", timings=timings, prompt_tokens=50, completion_tokens=7)
    )
    metrics.answered(Answer("q", Status.NOT_FOUND, "a", timings={"retrieve_ms": 30.0}))
    metrics.unanswered("stopped")

    assert value(metrics, 'docent_answers_total{status="answered"}') == 1
    assert value(metrics, 'docent_answers_total{status="not_found"}') == 1
    assert value(metrics, 'docent_answers_total{status="stopped"}') == 1
    assert value(metrics, "docent_retrieval_seconds_sum") == pytest.approx(0.05)
    assert value(metrics, "docent_first_token_seconds_count") == 1
    assert value(metrics, 'docent_first_token_seconds_bucket{le="0.25"}') == 0
    assert value(metrics, 'docent_first_token_seconds_bucket{le="0.5"}') == 1
    assert value(metrics, "docent_answer_seconds_sum") == 4
    assert value(metrics, 'docent_tokens_total{direction="read"}') == 50
    assert value(metrics, 'docent_tokens_total{direction="written"}') == 7


def test_the_other_numbers():
    metrics = Metrics()
    metrics.watch("docent_queue_waiting", "In line.", lambda: 4)
    metrics.queued(0.2)
    metrics.searched(0.03)
    metrics.refused("often")
    metrics.audit_lost()
    for helpful in (True, False, False, None):
        metrics.judged(helpful)

    assert value(metrics, "docent_queue_waiting") == 4
    assert value(metrics, "docent_queue_seconds_sum") == pytest.approx(0.2)
    assert value(metrics, 'docent_search_seconds_bucket{le="0.05"}') == 1
    assert value(metrics, 'docent_refused_total{reason="often"}') == 1
    assert value(metrics, "docent_audit_lost_total") == 1
    assert value(metrics, 'docent_feedback_total{helpful="no"}') == 2
    assert value(metrics, 'docent_feedback_total{helpful="unsaid"}') == 1


@pytest.fixture
def lines():
    """What is logged as JSON lines while the test runs."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = io.StringIO()
    set_up(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)


def served(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://localhost"
    )


def application(metrics: Metrics, tracing: Tracing) -> FastAPI:
    app = FastAPI()

    @app.get("/documents/{document_id}")
    async def document(document_id: str) -> dict[str, str]:
        logging.getLogger("web.test").warning("read\nit")
        return {}

    @app.get("/livez")
    async def alive() -> None:
        return None

    app.add_middleware(Telemetry, metrics=metrics, tracing=tracing)
    return app


async def test_a_request_has_an_id_in_its_lines_and_names_no_document(lines):
    metrics = Metrics()
    async with served(application(metrics, Tracing())) as client:
        response = await client.get("/documents/secret?token=abc", headers={"X-Request-Id": "r-1"})
        await client.get("/livez")
        other = await client.get("/documents/x", headers={"X-Request-Id": "bad\tid"})
        await client.get("/nowhere/secret")
        await client.request("SECRET", "/livez")

    assert response.headers["x-request-id"] == "r-1"
    assert other.headers["x-request-id"] not in ("bad\tid", "")
    said, told, *_ = lines()
    assert (said["message"], said["logger"], said["request_id"]) == ("read\nit", "web.test", "r-1")
    assert (told["route"], told["status"], told["request_id"]) == (
        "/documents/{document_id}", 200, "r-1",
    )  # fmt: skip
    assert "secret" not in json.dumps(lines()).lower()
    assert [line["route"] for line in lines() if line["logger"] == "web.access"] == [
        "/documents/{document_id}", "/documents/{document_id}", "other",
    ]  # fmt: skip
    assert request_id.get() == ""
    text = metrics.text().decode()
    assert 'route="/documents/{document_id}",status="200"' in text
    assert "secret" not in text.lower()


def test_a_line_is_one_line_of_plain_characters():
    error = ValueError("first\nsecond")
    what = "ü\u2028\x1b[2J"
    record = logging.LogRecord("x", logging.ERROR, "", 0, what, (), (ValueError, error, None))
    line = JsonLines().format(record)

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == what
    assert "ValueError: first\nsecond" in json.loads(line)["exception"]


async def test_spans_tell_steps_and_no_texts(lines):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider)
    async with served(application(Metrics(), tracing)) as client:
        await client.get("/documents/secret", headers={"X-Request-Id": "r-2"})
    with pytest.raises(KeyError), tracing.span("step", k=3):
        raise KeyError("quotes a page")
    tracing.close()

    request, step = exporter.get_finished_spans()
    assert dict(request.attributes or {}) == {
        "request_id": "r-2", "method": "GET", "route": "/documents/{document_id}", "status": 200,
    }  # fmt: skip
    assert (step.name, dict(step.attributes or {}), step.events) == ("step", {"k": 3}, ())


def test_without_an_endpoint_nothing_is_traced():
    tracing = tracing_from("")
    with tracing.span("step") as span:
        span.note(k=1)
    tracing.close()


class Collector(Server):
    """Takes spans, as an OpenTelemetry collector does."""

    def answer(self, request: Request) -> Taken:
        return Taken(b"", type="application/x-protobuf")


def test_with_an_endpoint_spans_are_sent_there():
    with Collector() as collector:
        tracing = tracing_from(f"{collector.url}/v1/traces")
        with tracing.span("outer") as span:
            span.note(k=1)
        tracing.close()

    (sent,) = collector.requests
    assert (sent.method, sent.path) == ("POST", "/v1/traces")
    assert b"outer" in sent.body
    assert b"docent" in sent.body


def test_an_endpoint_without_the_libraries_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(SettingsError, match=r"pip install 'docent\[otel\]'"):
        tracing_from("http://127.0.0.1:9/v1/traces")
