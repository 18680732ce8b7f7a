"""`--min-ms` of `xray session start`: requests below the limit count and keep no trace, the others keep theirs."""

import json
import time

from test_web_servers import GUNICORN

ROUTE, LIMIT_NS = "/waits/<int:ms>", 1_000_000_000
SHORT, LONG = "/waits/0", "/waits/1500"
SHORTS, LONGS = 12, 4


def timed(served, path):
    """What the view says that it took, and what the client waited: the request took something in between."""
    started = time.monotonic_ns()
    status, _, body = served.ask(path)
    waited_ns = time.monotonic_ns() - started
    assert status == 200
    return json.loads(body)["view_ns"], waited_ns


def test_only_requests_of_the_limit_or_longer_keep_their_traces(serve, tmp_path):
    served = serve([*GUNICORN, "-w", "2", "waitingapp:app"])
    assert served.ask(SHORT)[0] == 200
    file, views = tmp_path / "s.xr", []

    def work():
        paths = [SHORT, SHORT, SHORT, LONG] * LONGS
        for path in paths:
            view_ns, waited_ns = timed(served, path)
            # What is asserted below says nothing about a request of which it is open on which side it was.
            assert view_ns >= LIMIT_NS if path == LONG else waited_ns < LIMIT_NS
            views.append(view_ns)

    report = served.record(ROUTE, file, work, workers=2, options=("--min-ms", "1000"))
    requests = report["requests"]
    assert (requests["matched"], requests["traced"]) == (SHORTS + LONGS, SHORTS + LONGS)
    assert report["latency"]["all"]["count"] == SHORTS + LONGS
    kept = sorted(trace["duration_ns"] for trace in report["traces"])
    assert len(kept) == LONGS
    asked = sorted(view_ns for view_ns in views if view_ns >= LIMIT_NS)
    assert all(trace_ns >= view_ns for trace_ns, view_ns in zip(kept, asked, strict=True)), (kept, asked)
    # The short ones are in the sums over all requests.
    calls = json.loads(served.xray("report", str(file), "--tree", "calls", "--format", "json"))["nodes"]
    assert sum(node["count"] for node in calls if node["name"] == "waits") == SHORTS + LONGS
    # The file says what was asked for.
    assert "only from 1" in served.xray("report", str(file))


def test_short_requests_do_not_count_for_the_number_of_traces_that_ends_a_session(serve, tmp_path):
    served = serve([*GUNICORN, "waitingapp:app"])
    assert served.ask(SHORT)[0] == 200
    seen = []

    def recording():
        done = served.run("session", "status", "--app", served.app, "--json")
        return done.returncode == 0 and json.loads(done.stdout)["state"] == "recording"

    def work():
        for _ in range(SHORTS):
            timed(served, SHORT)
        seen.append(recording())
        timed(served, LONG)
        timed(served, LONG)
        # Not at once: the trace comes to the collector beside the answer.
        served.wait_until(lambda: not recording(), "two traces have ended the session")

    options = ("--min-ms", "1000", "--stop-after", "2")
    report = served.record(ROUTE, tmp_path / "s.xr", work, options=options)
    assert seen == [True]
    assert report["session"]["stopped_by"] == "traces"
    assert len(report["traces"]) == 2
    assert report["requests"]["traced"] == SHORTS + 2
