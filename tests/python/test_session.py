"""Sessions from Python, and the reports they give; each in a process of its own, with the real agent."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

FIB = """
    import xray

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    @xray.transaction("fib")
    def work(n):
        return fib(n)

    @xray.transaction("other")
    def other():
        return sum(range(1000))

    @xray.transaction("fails")
    def fails():
        raise ValueError("a secret")
"""


def test_a_session_from_start_to_report(run):
    run(
        FIB
        + """
    import time
    from xray.model import Tree

    with xray.start_session("fib", share=1.0, max_overhead=1.0, seconds=60, path="fib.xr") as session:
        # Transactions count from here on; the collector says so when its thread first runs.
        assert session.progress.state in ("armed", "recording"), session.progress
        for _ in range(10):
            assert work(10) == 55
            other()
        assert session.progress.traced == session.progress.matched == 10
        assert session.progress.other == 10
        deadline = time.monotonic() + 10
        while session.progress.p50_ns is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 0 < session.progress.p50_ns <= session.progress.p95_ns
        assert session.progress.state == "recording"
    report = session.wait()
    assert session.wait() is report
    assert session.progress.state == "finished"
    assert session.path.endswith("/fib.xr")
    assert session.id in repr(session)

    assert (report.requests.matched, report.requests.traced, report.requests.other) == (10, 10, 10)
    assert (report.session.target.given, report.session.limits.share) == ("fib", 1.0)
    assert report.session.id == session.id
    assert len(report.session.processes) == 1
    assert not report.recovered
    assert report.verdict.text

    assert len(report.traces) == 10
    durations = [trace.duration_ns for trace in report.traces]
    assert durations == sorted(durations, reverse=True)
    for trace in report.traces:
        # The transaction, the function and its 177 calls of fib(10); nothing of xray.
        assert trace.nodes[0].kind == "transaction"
        assert {(node.name, node.calls) for node in trace.nodes[1:]} == {("work", 1), ("fib", 177)}, trace.nodes
        assert sum(node.self_ns for node in trace.nodes) == trace.nodes[0].total_ns
        assert trace.nodes[0].parent == -1
        assert all(0 <= entry.node < len(trace.nodes) for entry in trace.timeline)
        assert trace.summary.complete and trace.summary.error is None

    assert report.latency.percentile(100) >= report.latency.percentile(50) > 0
    assert report.latency.all.count == report.latency.traced.count == 10
    assert report.latency.control.p50_ns is None
    assert report.latency.percentile(50, "control") is None
    assert any(component.name.endswith("fib") for component in report.components)
    for tree in (report.sample_tree, report.call_tree):
        assert isinstance(tree, Tree)
        assert all(node.parent < index for index, node in enumerate(tree.nodes))
    assert report.to_dict()["schema"] == "xray.report/1"
    assert "fib" in report.text(80)
    assert report.html().lstrip().lower().startswith("<!doctype html")

    again = xray.open("fib.xr")
    assert again.to_dict() == report.to_dict()
    assert again.traces[0].detail == report.traces[0].detail
    assert "fib" in repr(again) and "ms" in repr(again.traces[0])
    """
    )


def test_errors_and_the_control_arm(run):
    run(
        FIB
        + """
    with xray.start_session("fails", share=0.5, seed=1, seconds=60) as session:
        for _ in range(200):
            try:
                fails()
            except ValueError:
                pass
    report = session.wait()
    assert report.requests.matched == report.requests.errors == 200
    assert report.requests.traced + report.requests.control == 200
    assert 60 <= report.requests.control <= 140
    assert {trace.summary.error for trace in report.traces} == {"builtins.ValueError"}
    assert report.latency.control.count == report.requests.control
    assert "a secret" not in open(session.path, "rb").read().decode("latin-1")
    """
    )


def test_it_ends_by_itself(run):
    run(
        FIB
        + """
    import time
    session = xray.start_session("fib", share=1.0, max_overhead=1.0, stop_after=3)
    for _ in range(5):
        work(3)
    report = session.wait()
    assert report.requests.traced >= 3
    assert report.session.stopped_by

    begun = time.monotonic()
    report = xray.start_session("nothing", seconds=0.5).wait()
    assert 0.4 < time.monotonic() - begun < 15
    assert report.requests.matched == 0 and report.latency.percentile(99) is None
    """
    )


def test_what_is_refused(run):
    run(
        FIB
        + """
    import xray

    def refused(kind, *arguments, **options):
        try:
            xray.start_session(*arguments, **options)
        except kind as error:
            assert str(error)
            return str(error)
        raise AssertionError((arguments, options))

    refused(ValueError, "fib", minutes=1, seconds=1)
    refused(ValueError, "fib", seconds=-1)
    refused(ValueError, "fib", seconds=float("nan"))
    refused(ValueError, "fib", share=1.5)
    refused(ValueError, "fib", max_overhead=0)
    refused(ValueError, "fib", hz=0)
    refused(ValueError, "fib", traces=-1)
    refused(ValueError, "fib", traces=0)
    refused(ValueError, "re:(")
    refused(ValueError, "fib", scope="host")
    refused(ValueError, "fib", app="shop")
    refused(TypeError, 3)
    refused(ValueError, "fib", path="/nowhere/at/all/fib.xr")
    refused(ValueError, "fib", path=__file__)
    with xray.start_session("fib", seconds=30):
        assert "session" in refused(RuntimeError, "other")
    with xray.start_session("other", seconds=30):
        pass

    for path, kind in (("nothing.xr", OSError), (__file__, ValueError), (".", OSError)):
        try:
            xray.open(path)
        except kind as error:
            assert str(error)
        else:
            raise AssertionError(path)
    """
    )


def test_waiting_inside_a_traced_transaction_is_refused(run):
    run(
        FIB
        + """
    session = xray.start_session("fib", share=1.0, max_overhead=1.0, seconds=30)
    with xray.transaction("fib"):
        try:
            session.wait()
        except RuntimeError as error:
            assert "transaction" in str(error)
        else:
            raise AssertionError
    session.stop()
    assert session.wait().requests.traced == 1
    """
    )


def test_what_ends_the_block_goes_before_what_the_session_says(run):
    run(
        FIB
        + """
    try:
        with xray.start_session("fib", seconds=30) as session:
            work(5)
            raise KeyError("mine")
    except KeyError:
        pass
    assert session.wait().requests.matched == 1
    """
    )


def test_other_threads_run_while_one_waits(run):
    run(
        FIB
        + """
    import threading
    session = xray.start_session("fib", share=1.0, max_overhead=1.0, stop_after=20, seconds=60)
    threads = [threading.Thread(target=lambda: [work(8) for _ in range(10)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert session.wait().requests.traced >= 20
    for thread in threads:
        thread.join()
    """
    )


def test_ctrl_c_interrupts_waiting(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import xray\nsession = xray.start_session('x', seconds=60)\nprint('waits', flush=True)\nsession.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout.readline() == "waits\n"
        time.sleep(0.2)
        begun = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "KeyboardInterrupt" in errors
        assert time.monotonic() - begun < 10


def test_a_django_request_in_full(run):
    finished = run("""
        import json
        import xray
        xray.install()
        from testsite.wsgi import application
        from wsgi_client import call

        call(application, "/pages/")
        with xray.start_session("/pages/", share=1.0, max_overhead=1.0, seconds=60) as session:
            for path in ("/pages/", "/fails/", "/pages/"):
                call(application, path, query="secret=1")
        report = session.wait()
        assert (report.requests.traced, report.requests.other) == (2, 1), report.requests
        trace = report.traces[0]
        assert trace.summary.status == 200
        attributes = trace.summary.attributes
        assert (attributes["method"], attributes["path"]) == ("GET", "/pages/"), attributes
        segments = [(node.name, node.kind, node.detail, node.calls) for node in trace.nodes if node.kind != "function"]
        print(json.dumps(segments))
        sql = next(node for node in trace.nodes if node.kind == "sql")
        assert sql.file.endswith("testsite/views.py"), sql
        own = [node for node in trace.nodes if node.file and node.file.startswith(xray._install.PACKAGE_DIRECTORY)]
        assert own == []
        views = [node for node in trace.nodes if node.name == "pages" and node.file.endswith("testsite/views.py")]
        assert [node.calls for node in views] == [1]
        data = open(session.path, "rb").read().decode("latin-1")
        assert "a secret" not in data and "secret=1" not in data
    """)
    segments = json.loads(finished.stdout)
    names = [name for name, *_ in segments]
    assert [n for n in names if n.startswith(("R", "B"))] == ["Render/page.html", "Block/body", "Render/part.html"]
    sql = [segment for segment in segments if segment[1] == "sql"]
    # Sent once; its row is fetched elsewhere.
    assert sum(segment[3] for segment in sql) == 1
    assert all("a secret" not in segment[2] and "?" in segment[2] for segment in sql)


def test_requests_that_are_never_closed_are_incomplete_and_do_not_add_up(run):
    run("""
        import resource
        import xray
        from wsgi_client import environ

        @xray.wsgi
        def app(environ, start_response):
            start_response("200 OK", [])
            return (part for part in (b"one", b"two"))

        def ask(times):
            for _ in range(times):
                app(env, start_response)

        def start_response(status, headers):
            pass

        env = environ()
        kept = []
        with xray.start_session("*app", share=1.0, max_overhead=1.0, seconds=60) as session:
            ask(10)
            kept.extend(app(env, start_response) for _ in range(10))
            # The last one is open until it is dropped, or another begins.
            assert session.progress.in_flight == 1
            kept.clear()
            assert session.progress.in_flight == 0
        assert (session.wait().requests.traced, session.wait().requests.incomplete) == (0, 20), session.wait().requests

        ask(10_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ask(50_000)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000
        # A server that keeps them all must not make a chain of them.
        kept.extend(app(env, start_response) for _ in range(50_000))
        kept.clear()
    """)


@pytest.mark.parametrize("how", ["exit", "os._exit", "exec"])
def test_a_child_made_by_fork_does_not_end_its_parents_session(run, how):
    run(
        FIB
        + f"""
    import os, sys
    session = xray.start_session("fib", share=1.0, max_overhead=1.0, seconds=60)
    work(5)
    child = os.fork()
    if child == 0:
        work(5)
        if {how!r} == "os._exit":
            os._exit(0)
        if {how!r} == "exec":
            os.execv(sys.executable, [sys.executable, "-c", "pass"])
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    work(5)
    session.stop()
    report = session.wait()
    assert report.requests.traced >= 2
    """
    )


def test_an_application_that_ends_in_mid_session_leaves_its_part(run, socket_directory):
    import xray

    finished = run(
        FIB
        + """
    session = xray.start_session("fib", share=1.0, max_overhead=1.0, seconds=60)
    work(5)
    print(session.id)
    """
    )
    (part,) = socket_directory.rglob(f"{finished.stdout.strip()}.*.xr.part")
    report = xray.open(part)
    assert report.requests.traced == 1
    assert report.traces[0].nodes[1].name == "work"
