"""Agents that an application has already: the data that they collect is the same with and without a session.

Each is set up as its documentation says and keeps what it would send; none needs a network.
"""

import sys

import pytest

SITE = """
os.environ["DJANGO_SETTINGS_MODULE"] = "testsite.settings"
kept = []
SET_UP
from testsite.wsgi import application
from wsgi_client import call

def requests():
    for path in ("/", "/tags/django/", "/page/3/", "/missing/", "/nowhere/"):
        made = call(application, path)
        kept.append(["answer", made.status, len(made.body)])
    try:
        call(application, "/fails/")
    except Exception as error:
        kept.append(["error", type(error).__name__])

requests()
kept.clear()
with session():
    requests()
requests()
FLUSH
tell(kept)
"""

SENTRY = (
    """
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration

class Keep(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            event = item.payload.json
            if event is None: continue
            frames = [
                [frame["function"], frame["lineno"]]
                for value in (event.get("exception") or {}).get("values", [])
                for frame in (value.get("stacktrace") or {}).get("frames", [])
            ]
            spans = [[span["op"], span["description"]] for span in event.get("spans", [])]
            kept.append([item.headers["type"], event.get("transaction"), frames, spans,
                         (event.get("contexts", {}).get("trace") or {}).get("status")])

sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Keep, traces_sample_rate=1.0,
                integrations=[DjangoIntegration()], auto_session_tracking=False)
""",
    "sentry_sdk.flush()",
    {},
)

OPENTELEMETRY = (
    """
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult

class Keep:
    def export(self, spans):
        for span in spans:
            events = [[event.name, event.attributes.get("exception.stacktrace")] for event in span.events]
            attributes = sorted((key, str(value)) for key, value in span.attributes.items())
            kept.append([span.name, span.kind.name, span.status.status_code.name, attributes, events,
                         span.parent is not None])
        return SpanExportResult.SUCCESS
    def shutdown(self): pass

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Keep()))
trace.set_tracer_provider(provider)
DjangoInstrumentor().instrument()
""",
    "",
    {},
)

DDTRACE = (
    """
import ddtrace.auto
from ddtrace.trace import TraceFilter, tracer

class Keep(TraceFilter):
    def process_trace(self, trace):
        for span in trace:
            kept.append([span.name, span.resource, span.error, span.get_tag("http.status_code"),
                         span.get_tag("error.type"), span.get_tag("error.stack")])
        return None

tracer.configure(trace_processors=[Keep()])
""",
    "tracer.flush()",
    {
        "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_CRASHTRACKING_ENABLED": "false",
        "DD_TRACE_STARTUP_LOGS": "false",
    },
)

NEWRELIC = (
    """
import newrelic.agent
newrelic.agent.initialize()
newrelic.agent.register_application(timeout=30)
from newrelic.core.application import Application

# While a session records, xray resolves the path once more (docs/python.md), which New Relic times. All else is equal.
RESOLVED = "django.urls.resolvers:URLResolver.resolve"

def names(node, depth=0):
    if getattr(node, "name", None) == RESOLVED: return
    yield [depth, type(node).__name__, str(getattr(node, "name", None))]
    for child in getattr(node, "children", ()):
        yield from names(child, depth + 1)

def keep(original):
    def record_transaction(self, data):
        errors = [[error.type, [str(frame) for frame in error.stack_trace or ()]] for error in data.errors]
        kept.append([data.type, data.group, data.name, errors, list(names(data.root))])
        return original(self, data)
    return record_transaction

Application.record_transaction = keep(Application.record_transaction)
""",
    "",
    {"NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_APP_NAME": "tests", "NEW_RELIC_LOG": "/dev/null"},
)

AGENTS = {"sentry": SENTRY, "opentelemetry": OPENTELEMETRY, "ddtrace": DDTRACE, "newrelic": NEWRELIC}
#: There are no wheels of these for 3.15 yet.
if sys.version_info >= (3, 15):
    del AGENTS["ddtrace"], AGENTS["newrelic"]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_collects_the_same_with_a_session(under, agent):
    set_up, flush, env = AGENTS[agent]
    source = SITE.replace("SET_UP", set_up).replace("FLUSH", flush)
    without, with_session = under(source, "none", env), under(source, "mid", env)
    seen = without["seen"]
    # Something of every request, besides the answers; and of the error.
    assert len(seen) - sum(entry[0] in ("answer", "error") for entry in seen) >= 12, seen
    assert "LookupError" in str(seen) or "error" in str(seen).lower(), seen
    assert with_session["seen"] == seen
    assert (with_session["traced"], with_session["control"]) == (6, 0)


@pytest.mark.parametrize("agent", AGENTS)
def test_xray_sees_the_requests_beside_an_agent(under, agent):
    set_up, flush, env = AGENTS[agent]
    source = SITE.replace("SET_UP", set_up).replace("FLUSH", flush) + (
        "\n(report,) = opened\n"
        "found = {node.name for trace in report.traces for node in trace.nodes}\n"
        "assert 'plain' in found and 'fails' in found, found\n"
        "assert sorted(trace.summary.status or 0 for trace in report.traces)[-1] == 500\n"
        "print(json.dumps({'seen': [trace.summary.complete for trace in report.traces]}))\n"
    )
    assert under(source, "mid", env)["seen"] == [True] * 6
