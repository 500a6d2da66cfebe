"""Numbers for Prometheus: how fast, how many, how full, how often in vain.

No label holds a name, a question or an address of a document: whoever reads these numbers may not
be allowed to read those.
"""

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from assistant.model import Answer

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The numbers of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._answers = Counter(
            "docent_answers", "Questions by how they ended.", ["status"], registry=own
        )
        self._first_token = Histogram(
            "docent_first_token_seconds", "From the question's turn to the model's first word.",
            buckets=SECONDS, registry=own,
        )  # fmt: skip
        self._retrieval = Histogram(
            "docent_retrieval_seconds", "Finding the passages.", buckets=SECONDS, registry=own
        )
        self._total = Histogram(
            "docent_answer_seconds", "From the question's turn to the checked answer.",
            buckets=SECONDS, registry=own,
        )  # fmt: skip
        self._queued = Histogram(
            "docent_queue_seconds", "Waiting in line.", buckets=SECONDS, registry=own
        )
        self._tokens = Counter(
            "docent_tokens", "Tokens as the model tells.", ["direction"], registry=own
        )
        self._searches = Histogram(
            "docent_search_seconds", "Searches without a model.", buckets=SECONDS, registry=own
        )
        self._feedback = Counter("docent_feedback", "Judgements.", ["helpful"], registry=own)
        self._refused = Counter(
            "docent_refused", "Requests sent away, by reason.", ["reason"], registry=own
        )
        self._lost = Counter(
            "docent_audit_lost", "Rows of the audit log that were not written.", registry=own
        )
        self._requests = Histogram(
            "docent_request_seconds", "Until the head of the response.",
            ["method", "route", "status"], buckets=SECONDS, registry=own,
        )  # fmt: skip

    def watch(self, name: str, help_: str, value: Callable[[], float]) -> None:
        """A number that is looked up whenever somebody asks."""
        Gauge(name, help_, registry=self._registry).set_function(value)

    def queued(self, seconds: float) -> None:
        """A question's turn has come."""
        self._queued.observe(seconds)

    def answered(self, answer: Answer) -> None:
        """An answer is complete."""
        self._answers.labels(answer.status.value).inc()
        for histogram, key in (
            (self._retrieval, "retrieve_ms"),
            (self._first_token, "first_token_ms"),
            (self._total, "total_ms"),
        ):
            if key in answer.timings:
                histogram.observe(answer.timings[key] / 1000)
        self._tokens.labels("read").inc(answer.prompt_tokens or 0)
        self._tokens.labels("written").inc(answer.completion_tokens or 0)

    def unanswered(self, how: str) -> None:
        """An answer was `stopped` or `failed`."""
        self._answers.labels(how).inc()

    def searched(self, seconds: float) -> None:
        """A search without a model."""
        self._searches.observe(seconds)

    def judged(self, helpful: bool | None) -> None:
        """Somebody said what he thinks of an answer."""
        self._feedback.labels({True: "yes", False: "no", None: "unsaid"}[helpful]).inc()

    def refused(self, reason: str) -> None:
        """A request was sent away: `often`, `line`."""
        self._refused.labels(reason).inc()

    def audit_lost(self) -> None:
        """A row of the audit log could not be written."""
        self._lost.inc()

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """A response has begun. `route` is the pattern, never the address that was asked for."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
