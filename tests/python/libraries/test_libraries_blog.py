"""The tag blog on PostgreSQL and Redis, each request traced: where the time went adds up to what its caller waited."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from paths import TAGBLOG

pytestmark = pytest.mark.matrix

REQUESTS = 60
#: Beside the blog's own time its caller waits for the trace to be taken down: not part of the trace.
SHARE = 0.02

PROGRAM = """
import json, sys, time
from django.core.management import call_command
import django
import xray
xray.install()
django.setup()
call_command("migrate", verbosity=0)
call_command("load_demo_data", stdout=sys.stderr)
from django.core.wsgi import get_wsgi_application
from wsgi_client import environ
application = get_wsgi_application()

def ask():
    began = time.perf_counter_ns()
    response = application(environ("/tags/django/"), lambda status, headers: None)
    body = b"".join(response)
    response.close()
    return time.perf_counter_ns() - began, response.status_code, response["X-Visits-Before"], len(body)

warm = [ask() for _ in range(5)]
with xray.start_session("/tags/<tag>/", share=1.0, max_overhead=1.0, seconds=250, path="blog.xr") as session:
    answers = [ask() for _ in range(REQUESTS)]
report = session.wait()
assert report.requests.traced == REQUESTS, report.requests
segments = {}
for trace in report.traces:
    for node in trace.nodes:
        if node.kind in ("sql", "cache", "template"):
            calls, rows = segments.get(node.name, (0, 0))
            segments[node.name] = calls + node.calls, rows + node.rows
print(json.dumps({
    "waited_ns": [waited for waited, *_ in answers],
    "own_ns": [
        sum(node.self_ns for node in trace.nodes)
        for trace in sorted(report.traces, key=lambda trace: trace.summary.started_at)
    ],
    "components_ns": sum(component.self_ns for component in report.components),
    "answers": [answer[1:] for answer in answers],
    "segments": segments,
}))
"""


@pytest.fixture(scope="module")
def answered(postgresql, redis_server, tmp_path_factory):
    """What the program says."""
    directory = tmp_path_factory.mktemp("blog")
    program = directory / "program.py"
    program.write_text(PROGRAM.replace("REQUESTS", str(REQUESTS)))
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TAGBLOG), str(Path(__file__).parent.parent)]),
        "DJANGO_SETTINGS_MODULE": "tagblog.settings",
        "TAGBLOG_POSTGRESQL": str(postgresql.directory),
        "TAGBLOG_POSTGRESQL_USER": postgresql.user,
        "TAGBLOG_POSTGRESQL_DATABASE": postgresql.database,
        "TAGBLOG_REDIS": redis_server.url,
    }
    done = subprocess.run(
        [sys.executable, program], cwd=directory, env=env, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_self_times_of_components_add_up_to_the_response_time(answered):
    """Of each trace, to what its caller measured; and the report's components to those of all traces."""
    assert abs(answered["components_ns"] - sum(answered["own_ns"])) <= 0.001 * answered["components_ns"]
    shares = [own / waited for own, waited in zip(answered["own_ns"], answered["waited_ns"], strict=True)]
    # The median: a process that loses the processor just after its answer waits for that, too.
    assert 1 - SHARE <= statistics.median(shares) <= 1, sorted(shares)


def test_statements_and_looks_into_the_cache_are_counted(answered):
    # Five came before; each has been counted.
    assert [int(before) for _, before, _ in answered["answers"]] == list(range(5, 5 + REQUESTS))
    segments = answered["segments"]
    for name in ("cache get", "cache get: hit", "cache set"):
        assert segments[name][0] == REQUESTS
    assert not any(name.startswith("redis") for name in segments)
    statements = {name: counted for name, counted in segments.items() if name.endswith(" - SELECT")}
    assert statements and all(calls % REQUESTS == 0 and rows > 0 for calls, rows in statements.values()), statements
    assert segments["Render/blog/tag_detail.html"][0] == REQUESTS
