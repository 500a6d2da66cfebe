"""Traces over OpenTelemetry, when `[telemetry] otlp_endpoint` names a collector; else nothing.

A span tells how long a step took, never what was asked or read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ingest.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Value = str | int | float | bool


class Span(Protocol):
    """One step that is being timed."""

    def note(self, **attributes: Value) -> None:
        """What became known of it."""
        ...


class _Nothing:
    def note(self, **attributes: Value) -> None:
        """Kept by nobody."""


class Tracing:
    """Times steps; without a provider it only lets them pass."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("docent") if provider else None

    @contextmanager
    def span(self, name: str, **attributes: Value) -> Iterator[Span]:
        """A step, and within it those that begin while it lasts."""
        if self._tracer is None:
            yield _Nothing()
            return
        # The text of an error may quote a document, so it is not recorded.
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield _Noted(span.set_attribute)

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()


class _Noted:
    def __init__(self, set_attribute: "SetAttribute") -> None:
        self._set = set_attribute

    def note(self, **attributes: Value) -> None:
        for key, value in attributes.items():
            self._set(key, value)


class SetAttribute(Protocol):
    """How OpenTelemetry takes an attribute."""

    def __call__(self, key: str, value: Value) -> None: ...


def tracing_from(endpoint: str) -> Tracing:
    """Tracing that sends to a collector's address for traces; empty: none.

    Raises:
        SettingsError: an address is set and the libraries are not installed.
    """
    if not endpoint:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        msg = (
            f"[telemetry] otlp_endpoint is {endpoint!r}, but OpenTelemetry is not installed. "
            "Install it with: pip install 'docent[otel]', or leave the setting empty."
        )
        raise SettingsError(msg) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "docent"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return Tracing(provider)
