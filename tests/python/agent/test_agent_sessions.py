"""Sessions in a process: whatever its threads do, what is counted is what was done, and nothing is left behind."""

import sys
import threading

import pytest

import xray

#: Does random things with transactions, and counts what it did.
RANDOM_WORK = """
import collections, contextvars, random, sys, threading, time
import host, xray
from xray import _xray

class Work:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ended = collections.Counter()
        self.dropped = 0
        self.errors = 0
        self.stop = False
        self.elsewhere = collections.deque()

    def name(self):
        return self.random.choice(["work", "work", "other", "third", "é\\udcff\\x00" * 3])

    def run(self):
        steps = [self.plain, self.nested, self.fails, self.generator, self.ended_elsewhere, self.dropped_open,
                 self.unbalanced, self.renamed, self.many_calls, self.context]
        while not self.stop:
            self.random.choice(steps)()

    def begin(self, name):
        transaction = _xray.begin(self.random.choice([_xray.WEB, _xray.BACKGROUND, _xray.OTHER]))
        transaction.set_name(name)
        return transaction

    def end(self, transaction, name):
        transaction.end()
        transaction.end()
        self.ended["work" if name == "work" else "other"] += 1

    def plain(self):
        name = self.name()
        transaction = self.begin(name)
        host.call(self.random.randrange(5))
        self.end(transaction, name)

    def nested(self, depth=0):
        name = self.name()
        transaction = self.begin(name)
        if depth < 4 and self.random.random() < 0.7:
            self.nested(depth + 1)
        self.end(transaction, name)

    def fails(self):
        name = self.name()
        try:
            transaction = self.begin(name)
            try:
                [].pop()
            finally:
                transaction.set_error("builtins.IndexError")
                transaction.set_status(10**9)
                self.end(transaction, name)
        except IndexError:
            self.errors += name == "work"

    def generator(self):
        def steps():
            name = self.name()
            transaction = self.begin(name)
            try:
                yield host.call(3)
                yield host.call(2)
            finally:
                self.end(transaction, name)
        made = steps()
        next(made)
        if self.random.random() < 0.5:
            threading.Thread(target=made.close).start()
        else:
            self.elsewhere.append(made)
        if len(self.elsewhere) > 3:
            self.elsewhere.popleft().close()

    def ended_elsewhere(self):
        name = self.name()
        transaction = self.begin(name)
        ender = threading.Thread(target=self.end, args=(transaction, name))
        ender.start()
        host.call(4)
        ender.join()

    def dropped_open(self):
        name = self.name()
        transaction = self.begin(name)
        host.call(2)
        del transaction
        self.dropped += name == "work"

    def unbalanced(self):
        name = self.name()
        transaction = self.begin(name)
        for n in range(self.random.randrange(4)):
            _xray.enter_segment(_xray.SEGMENT_CACHE, f"get {n}", None)
        _xray.enter_sql("select 'x\\udcff' from t where a = 1", "sqlite")
        for n in range(self.random.randrange(6)):
            _xray.leave_segment(10**30, True)
        self.end(transaction, name)

    def renamed(self):
        name = self.name()
        transaction = self.begin(self.name())
        host.call(2)
        transaction.set_name(name)
        self.end(transaction, name)

    def many_calls(self):
        name = self.name()
        transaction = self.begin(name)
        sum(len([character]) for character in "x" * 200)
        self.end(transaction, name)

    def context(self):
        contextvars.copy_context().run(self.plain)

def run(seconds, threads=8):
    before = threading.active_count()
    works = [Work(seed) for seed in range(threads)]
    running = [threading.Thread(target=work.run) for work in works]
    for thread in running: thread.start()
    time.sleep(seconds)
    for work in works: work.stop = True
    for thread in running: thread.join()
    for work in works:
        while work.elsewhere:
            work.elsewhere.popleft().close()
    host.eventually(lambda: threading.active_count() == before)
    total = collections.Counter()
    for work in works: total.update(work.ended)
    return total, sum(work.dropped for work in works), sum(work.errors for work in works)
"""


def test_the_counts_are_the_programs_own(host):
    host.run(
        RANDOM_WORK
        + """
host.request()
session = host.start(path="a.xr", traces=50, hz=200)
ended, dropped, errors = run(4.0)
assert ended["work"] > 500, ended
session.stop()
report = session.wait()
requests = report.requests
assert requests.matched == ended["work"], (requests, ended)
assert requests.other == ended["other"], (requests, ended)
assert requests.errors == errors, (requests, errors)
assert requests.incomplete == dropped, (requests, dropped)
assert requests.traced + requests.control == requests.matched
assert session.progress.in_flight == 0
for trace in report.traces:
    assert sum(node.self_ns for node in trace.nodes) == trace.duration_ns
"""
    )


def test_two_hundred_sessions_leave_nothing(host):
    host.run(
        """
import gc, sys, os
import host, xray

def look():
    gc.collect()
    rss = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return {
        "threads": host.agent_threads(),
        "descriptors": len(host.descriptors()),
        "references": [sys.getrefcount(f.__code__) for f in (host.call, host.request, host.start, look)],
        "tools": host.tools(),
        "objects": len(gc.get_objects()) // 200,
    }, rss

def session():
    running = host.start(path="a.xr", traces=5)
    for _ in range(3): host.request(depth=20)
    running.stop()
    assert running.wait().requests.traced == 3
    os.remove("a.xr")

for _ in range(20): session()
host.eventually(lambda: host.agent_threads() == ["xray-control"])
before, rss_before = look()
for _ in range(180): session()
host.eventually(lambda: host.agent_threads() == ["xray-control"])
after, rss_after = look()
assert before == after, (before, after)
assert rss_after < rss_before + (4 << 20), (rss_before, rss_after)
""",
        seconds=90,
    )


def test_sessions_begin_and_end_while_threads_work(host):
    host.run(
        RANDOM_WORK
        + """
host.request()
done = []
def sessions():
    while not done:
        session = host.start(path=f"{time.time_ns()}.xr", traces=5, hz=500)
        time.sleep(0.02)
        session.stop()
        requests = session.wait().requests
        assert requests.traced + requests.control == requests.matched
        done_sessions.append(requests.matched)
done_sessions = []
starter = threading.Thread(target=sessions)
starter.start()

try:
    run(4.0, threads=4)
finally:
    done.append(True)
    starter.join()
assert len(done_sessions) > 5 and sum(done_sessions) > 0, done_sessions
assert host.tools() == {}
""",
    )


def test_traces_in_flight_when_the_session_ends(host):
    host.run(
        """
import threading
import host, xray
from xray import _xray
host.request()
entered, leave = threading.Event(), threading.Event()
def slow():
    with xray.transaction("work"):
        entered.set()
        leave.wait()
        host.call(3)
        traced.append(_xray.tracing())
        with xray.transaction("work inside"):
            host.call(3)
            traced.append(_xray.tracing())
traced = []
thread = threading.Thread(target=slow)
session = host.start(path="waited-for.xr")
thread.start()
entered.wait()
session.stop()
host.eventually(lambda: session.progress.state == "draining")
leave.set()
requests = session.wait().requests
assert (requests.traced, requests.incomplete) == (1, 0), requests
thread.join()

# Ten seconds are over; what ends later belongs to no session, nor to the one that then runs.
entered.clear()
leave.clear()
traced.clear()
thread = threading.Thread(target=slow)
session = host.start(path="too-long.xr")
thread.start()
entered.wait()
session.stop()
requests = session.wait().requests
assert (requests.traced, requests.incomplete) == (0, 1), requests
with host.start("work inside", path="next.xr") as session:
    leave.set()
    thread.join()
report = session.wait()
assert (report.requests.traced, report.requests.other) == (1, 0), report.requests
assert traced == [False, True]
assert host.tools() == {}
"""
    )


def test_what_is_dropped_is_over(host):
    host.run(
        """
import host, xray
from xray import _xray
with host.start(path="a.xr") as session:
    for _ in range(3):
        transaction = _xray.begin(_xray.WEB)
        transaction.set_name("work")
        assert _xray.tracing()
        del transaction
        assert _xray.current() is None and not _xray.tracing()
        host.request()
    assert session.progress.in_flight == 0
requests = session.wait().requests
assert (requests.traced, requests.control, requests.incomplete) == (3, 0, 3), requests
"""
    )


def test_of_two_controllers_one_wins(host, tmp_path):
    process = host.start("import host; host.request(); print('ready', flush=True); input()")
    process.stdout.readline()
    while not host.sockets():
        pass
    for round_number in range(10):
        started, refused = [], []
        barrier = threading.Barrier(4)

        def control(number, round_number=round_number, started=started, refused=refused, barrier=barrier):
            barrier.wait()
            path = tmp_path / f"{round_number}-{number}.xr"
            try:
                started.append(xray.start_session("work", scope="app", app=host.app, seconds=30, path=path))
            except RuntimeError as error:
                refused.append(str(error))

        controllers = [threading.Thread(target=control, args=(number,)) for number in range(4)]
        for controller in controllers:
            controller.start()
        for controller in controllers:
            controller.join()
        assert len(started) == 1, refused
        assert all("already in session" in reason for reason in refused), refused
        started[0].stop()
        started[0].wait()


def test_two_threads_of_the_application_start_one_session(host):
    host.run(
        """
import threading
import host, xray
host.request()
for round_number in range(10):
    started, refused = [], []
    barrier = threading.Barrier(4)
    def control(number):
        barrier.wait()
        try:
            started.append(host.start(path=f"{round_number}-{number}.xr"))
        except RuntimeError as error:
            refused.append(str(error))
    threads = [threading.Thread(target=control, args=(number,)) for number in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(started) == 1, (started, refused)
    host.request()
    started[0].stop()
    assert started[0].wait().requests.traced == 1
assert host.tools() == {}
"""
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no sys.monitoring")
def test_both_tool_ids_taken(host):
    host.run(
        """
import sys
import host, xray
for tool in (3, 4): sys.monitoring.use_tool_id(tool, "another")
host.request()
session = None
try:
    session = host.start(path="a.xr")
except RuntimeError as error:
    assert "3 and 4" in str(error), error
host.request()
assert host.tools() == {3: "another", 4: "another"}
sys.monitoring.free_tool_id(4)
if session is None:
    with host.start(path="b.xr") as session:
        assert host.tools() == {3: "another", 4: "xray"}
        host.request()
    assert session.wait().requests.traced == 1
"""
    )
