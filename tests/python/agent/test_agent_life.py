"""From the first transaction to the end of the interpreter: the application does not notice the agent."""

import signal
import time
from pathlib import Path

import pytest

import xray

#: An orderly exit may wait for this long; see `SHUTDOWN_PATIENCE` in the agent.
MOST_SECONDS = 3.0


def test_disabled_it_does_nothing(host):
    host.run(
        """
        import sys
        import host
        from xray import _xray
        host.request()
        assert _xray.begin(_xray.WEB) is None and _xray.current() is None
        assert host.agent_threads() == []
        assert not any(type(finder).__module__.startswith("xray") for finder in sys.meta_path)
        try:
            host.start()
        except RuntimeError as error:
            assert "XRAY_DISABLE" in str(error)
        """,
        env={"XRAY_DISABLE": "1"},
    )
    assert host.sockets() == []


def test_no_thread_before_the_first_transaction_and_one_after_it(host):
    host.run(
        """
        import threading
        import host
        assert host.agent_threads() == [] and threading.active_count() == 1
        host.request()
        host.eventually(lambda: host.agent_threads() == ["xray-control"])
        others = [threading.Thread(target=host.request) for _ in range(20)]
        for thread in others: thread.start()
        for thread in others: thread.join()
        assert host.agent_threads() == ["xray-control"] and threading.active_count() == 1
        with host.start(path="a.xr") as session:
            host.eventually(lambda: host.agent_threads() == ["xray-collector", "xray-control", "xray-sampler"])
        session.wait()
        host.eventually(lambda: host.agent_threads() == ["xray-control"])
        """
    )
    assert host.sockets() == []


@pytest.mark.matrix
def test_an_idle_agent_sleeps(host):
    process = host.start(
        """
        import host
        host.request()
        with host.start(path="a.xr"):
            host.request()
        host.eventually(lambda: host.agent_threads() == ["xray-control"])
        print("idle", flush=True)
        input()
        """
    )
    assert process.stdout.readline() == "idle\n"

    def switches():
        found = 0
        tasks = list(Path(f"/proc/{process.pid}/task").iterdir())
        assert len(tasks) == 2
        for task in tasks:
            if (task / "comm").read_text() == "xray-control\n":
                found += int((task / "status").read_text().split("voluntary_ctxt_switches:")[1].split()[0])
        return found

    time.sleep(0.5)
    before = switches()
    time.sleep(10)
    assert switches() - before <= 1


#: What the process is doing when it ends.
STATES = {
    "idle": "host.request()",
    "recording": "host.start(); host.request()",
    "draining": """
session = host.start()
def never_ends():
    with xray.transaction("work"):
        entered.set()
        time.sleep(1000)
threading.Thread(target=never_ends, daemon=True).start()
entered.wait()
session.stop()
""",
    "inside": "host.start(); marker = xray.transaction('work'); marker.__enter__(); host.call(5)",
    "busy": """
host.start()
def forever():
    while True:
        host.request()
        entered.set()
for _ in range(4):
    threading.Thread(target=forever, daemon=True).start()
entered.wait()
""",
    "waiting": """
session = host.start(path="a.xr")
def wait():
    entered.set()
    session.wait()
threading.Thread(target=wait, daemon=True).start()
entered.wait()
time.sleep(0.3)
""",
}
PROGRAM = """
import atexit, os, signal, sys, threading, time
import host, xray
entered = threading.Event()
{state}
print("ready", flush=True)
{way}
"""


@pytest.mark.parametrize("state", STATES)
def test_the_program_ends(host, state):
    finished = host.run(PROGRAM.format(state=STATES[state], way=""))
    assert finished.ending_seconds < MOST_SECONDS
    # A session that was stopped before ended for its own reason.
    assert host.ends() == {"idle": [], "draining": ["finished"]}.get(state, ["exited"])
    assert host.sockets() == []


#: Ways to end, with the exit code, the last line on stderr, and how the part says that the process ended.
WAYS = {
    "sys.exit": ("sys.exit(3)", 3, None, "exited"),
    "sys.exit in a thread": (
        "thread = threading.Thread(target=sys.exit, args=(1,)); thread.start(); thread.join()",
        0,
        None,
        "exited",
    ),
    "exception": ("raise LookupError('as it was')", 1, "LookupError: as it was", "exited"),
    "KeyboardInterrupt": ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "KeyboardInterrupt", "exited"),
    "atexit": (
        "atexit.register(host.request)\natexit.register(lambda: host.request('other'))",
        0,
        None,
        "exited",
    ),
    "os._exit": ("time.sleep(1.2); os._exit(4)", 4, None, "lost"),
    "SIGTERM": (
        "time.sleep(1.2); signal.raise_signal(signal.SIGTERM)",
        -signal.SIGTERM,
        None,
        "lost",
    ),
    "SIGKILL": ("time.sleep(1.2); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, None, "lost"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", ["recording", "busy"])
def test_the_program_ends_by(host, way, state):
    code, returncode, last_line, end = WAYS[way]
    finished = host.run(PROGRAM.format(state=STATES[state], way=code), returncode=None)
    assert finished.returncode == returncode, finished
    assert finished.stderr.strip().rpartition("\n")[2] == (last_line or ""), finished
    assert finished.ending_seconds < MOST_SECONDS + 1.2
    assert host.ends() == [end]
    (part,) = host.parts()
    assert xray.open(part).requests.matched >= 1


def test_functions_registered_before_the_agents_may_still_run_transactions(host):
    host.run(
        """
        import atexit
        atexit.register(lambda: host.request())
        import host
        host.start()
        host.request()
        """
    )
    (part,) = host.parts()
    assert xray.open(part).requests.matched == 1


def test_the_interpreter_ends_while_a_controller_asks(host, control):
    process = host.start(
        """
        import sys
        import host
        host.request()
        print("ready", flush=True)
        sys.stdin.read()
        """
    )
    process.stdout.readline()
    first = control()
    first.stop()
    first.wait()
    session = control()
    process.stdin.close()
    deadline = time.monotonic() + 5
    while process.poll() is None:
        assert time.monotonic() < deadline
        assert session.progress.matched == 0
    assert process.returncode == 0
    session.stop()
    assert session.wait().session.processes[0].end == "exited"
    assert process.stderr.read() == ""
