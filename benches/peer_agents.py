"""Other agents in the benchmarks' process, each as its documentation says, none with a network beyond this machine.

Their libraries are in requirements/peers.txt and imported only by the mode that needs them.
"""

import os
from collections.abc import Callable
from typing import Any


def start_newrelic() -> Callable[[], None]:
    """New Relic in developer mode: all but the sending."""
    os.environ |= {"NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_APP_NAME": "bench", "NEW_RELIC_LOG": "/dev/null"}
    import newrelic.agent

    newrelic.agent.initialize()
    newrelic.agent.register_application(timeout=30)
    return lambda: None


def start_ddtrace() -> Callable[[], None]:
    """Datadog's tracer, which sends to ``XRAY_BENCH_TRACES``; nothing else of it phones home."""
    os.environ |= {
        "DD_TRACE_AGENT_URL": os.environ["XRAY_BENCH_TRACES"],
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_CRASHTRACKING_ENABLED": "false",
    }
    import ddtrace.auto  # noqa: F401

    return lambda: None


def start_opentelemetry() -> Callable[[], None]:
    """OpenTelemetry's instrumentations of Django and SQLite."""
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

    _export_to_nowhere()
    DjangoInstrumentor().instrument()
    SQLite3Instrumentor().instrument()
    return lambda: None


def start_opentelemetry_starlette() -> Callable[[], None]:
    """OpenTelemetry's instrumentation of Starlette."""
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor

    _export_to_nowhere()
    StarletteInstrumentor().instrument()
    return lambda: None


def _export_to_nowhere() -> None:
    """OpenTelemetry's spans are exported in batches, to nowhere."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class Nowhere:
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            pass

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)


AGENTS = {"newrelic": start_newrelic, "ddtrace": start_ddtrace, "opentelemetry": start_opentelemetry}
ASGI_AGENTS = AGENTS | {"opentelemetry": start_opentelemetry_starlette}
