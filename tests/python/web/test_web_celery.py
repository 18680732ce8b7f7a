"""Celery: transactions of real workers with a real broker, and in eager mode."""

import subprocess
import sys
import time

import pytest
from served import HERE, Served

from xray._xray import BACKGROUND


@pytest.fixture
def eager(recorder):
    """The application, executing its tasks where they are sent."""
    import celeryapp

    celeryapp.app.conf.task_always_eager = True
    recorder.is_recording = True
    yield celeryapp
    celeryapp.app.conf.task_always_eager = celeryapp.app.conf.task_eager_propagates = False


def test_a_task_is_a_background_transaction(eager, recorder):
    assert eager.squares.delay(4).get() == 14
    only = recorder.only
    assert (only.kind, only.names, only.error, only.ended) == (BACKGROUND, ["celeryapp.squares"], None, True)
    assert {name: only.attributes[name] for name in ("retries", "eager")} == {"retries": "0", "eager": "true"}


@pytest.mark.parametrize("propagates", [False, True])
def test_a_failure_is_noted_and_passes(eager, recorder, propagates):
    eager.app.conf.task_eager_propagates = propagates
    with pytest.raises(LookupError, match="a secret"):
        eager.fails.delay().get()
    assert (recorder.only.names, recorder.only.error) == (["given.name"], "builtins.LookupError")


def test_each_try_is_one_transaction_and_no_error(eager, recorder):
    assert eager.tries.delay().get() == 2
    tries = recorder.transactions
    assert [(each.attributes["retries"], each.attributes.get("state"), each.error) for each in tries] == [
        ("0", "RETRY", None),
        ("1", "RETRY", None),
        ("2", None, None),
    ]


def test_a_task_that_is_executed_inside_another_is_inside_it(eager, recorder):
    assert eager.calls_another.delay().get() == 30
    outer, inner = recorder.transactions
    assert (outer.names, inner.names) == (["celeryapp.calls_another"], ["celeryapp.squares"])
    assert inner.outer is outer


def test_nothing_is_done_while_the_agent_is_off(eager, recorder):
    recorder.is_off = True
    assert eager.squares.delay(4).get() == 14


def test_the_time_in_the_queue(recorder, monkeypatch):
    from xray.integrations import celery

    monkeypatch.setattr(celery, "time", lambda: 1_000.0)
    for request, seconds in [
        ({"xray_sent_at": 999.5}, 0.5),
        # It could not run earlier.
        ({"xray_sent_at": 900.0, "eta": "1970-01-01T00:16:39+00:00"}, 1.0),
        ({"xray_sent_at": 900.0, "eta": "1970-01-01T00:16:39"}, 1.0),
        # The clock of another host.
        ({"xray_sent_at": 1_001.0}, 0.0),
        ({}, None),
        ({"xray_sent_at": "a word of somebody else's"}, None),
    ]:
        assert celery._seconds_in_queue(request) == seconds


@pytest.fixture
def environment(environment, redis_server):
    """The broker and where results are kept."""
    return {
        **environment,
        "SUMS_BROKER": f"redis+socket://{redis_server.socket}",
        "SUMS_BACKEND": f"redis+socket://{redis_server.socket}",
        "PYTHONPATH": str(HERE),
    }


SENDS = """
import celeryapp
from celeryapp import *
results = [squares.delay(10) for _ in range(12)] + [fails.delay(), tries.delay()]
print([result.get(timeout=60, propagate=False) for result in results[:12]], repr(results[12].get(propagate=False)),
      results[13].get(timeout=60))
"""


def send(environment):
    """Sends tasks and waits for their results, as a client without an agent."""
    environment = {**environment, "XRAY_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SENDS], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


@pytest.mark.matrix
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_workers(processes, tmp_path, environment, pool):
    worker = ["celery", "--app", "celeryapp", "worker", "--pool", pool, "--concurrency", "2", "--loglevel", "warning"]
    worker += ["--without-gossip", "--without-mingle"]

    def serve(name, *run):
        log = tmp_path / f"{name}.log"
        process = processes.start([*run, sys.executable, "-m", *worker], log, environment, tmp_path)
        return Served(process, 0, log, name, environment)

    plain = serve("plain")
    expected = send(environment)
    plain.process.terminate()
    plain.process.wait(60)
    app = f"celery-{pool}"
    served = serve(app, sys.executable, "-m", "xray", "run", "--app", app, "--")
    assert send(environment) == expected == f"{[285] * 12} LookupError('a secret') 2\n"
    counts = {"celeryapp.squares": 12, "given.name": 1, "celeryapp.tries": 3}
    for name, count in counts.items():
        served.wait_for_count(name, count, "background")

    report = served.record("celery:celeryapp.squares", tmp_path / "s.xr", lambda: send(environment), workers=None)
    assert report["requests"]["traced"] == 12
    assert (report["requests"]["other"], report["requests"]["errors"]) == (4, 0)
    for trace in report["traces"]:
        attributes = trace["attributes"]
        assert attributes["name"] == "celeryapp.squares"
        # Sent by a process without an agent: nobody knows when.
        assert "queue_ms" not in attributes
        nodes = served.trace(tmp_path / "s.xr", trace["id"])["nodes"]
        assert sum(node["calls"] for node in nodes if node["name"] == "square") == 10

    began = time.monotonic()
    environment["XRAY_APP"] = f"{app}-client"
    sends = f"import xray; xray.install(){SENDS}"

    def work():
        subprocess.run([sys.executable, "-c", sends], env=environment, check=True, timeout=120, capture_output=True)

    report = served.record("celeryapp.squares", tmp_path / "t.xr", work, workers=None)
    waited = [float(trace["attributes"]["queue_ms"]) for trace in report["traces"]]
    assert len(waited) == 12
    assert all(0 <= milliseconds <= (time.monotonic() - began) * 1_000 for milliseconds in waited)
    served.process.terminate()
    assert served.process.wait(60) == 0
