"""Places where nothing can be written, and names that are no text: never an exception in the application."""

import os
import tempfile
from pathlib import Path

import pytest

import xray

#: Where `import host` finds it.
MODULES = [Path(__file__).parent]

PROGRAM = """
import host, xray
with xray.transaction("work"):
    host.call(3)
for _ in range(10): host.request()
host.eventually(lambda: "xray-control" not in host.agent_threads())
session = None
try:
    session = host.start(path="a.xr")
except RuntimeError as error:
    print(error)
host.request()
assert host.tools() == {} or session is not None
if session is not None:
    session.stop()
    session.wait()
"""


def refused(host, sockets, because):
    finished = host.run(PROGRAM, env={"XRAY_SOCKET_DIR": str(sockets)}, returncode=None)
    assert finished.returncode == 0, finished
    assert because in finished.stdout, finished
    # Once in the log, by Python's logging as the application has set it up.
    assert finished.stderr.count("\n") <= 1 and "Traceback" not in finished.stderr, finished


def test_the_directory_is_a_file(host, tmp_path):
    (tmp_path / "file").write_text("")
    refused(host, tmp_path / "file", "is not a directory")


def test_the_directory_is_writable_by_others(host, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    refused(host, tmp_path / "open", "can be written by others")


def test_the_directory_cannot_be_made(host):
    refused(host, "/proc/nowhere", "cannot create")


@pytest.fixture
def shared():
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="xray-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield directory


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_directory_is_another_users(host, shared):
    finished = host.run(
        "import os, host, logging, xray.session, xray.report\nos.setuid(12345)\n" + PROGRAM,
        env={"XRAY_SOCKET_DIR": shared},
        returncode=None,
    )
    assert finished.returncode == 0, finished
    assert "belongs to user 0, not to you (user 12345)" in finished.stdout, finished
    assert finished.stderr.count("\n") <= 1 and "Traceback" not in finished.stderr, finished


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("agent", ["runs", "is new"])
def test_there_are_no_more_threads(host, shared, agent):
    finished = host.run(
        """
        import os, resource, sys
        import host, logging, xray.session, xray.report
        from xray import _xray
        os.mkdir(sys.argv[1] + "/own")
        os.chown(sys.argv[1] + "/own", 12345, 12345)
        os.chdir(sys.argv[1] + "/own")
        os.environ["XRAY_SOCKET_DIR"] = sys.argv[1] + "/own"
        os.setuid(12345)
        if sys.argv[2] == "runs":
            host.request()
            host.eventually(lambda: any("socket" in what for what in host.descriptors().values()))
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 100))
        for _ in range(3): host.request()
        try:
            host.start(path="a.xr")
        except RuntimeError as error:
            print(error)
        assert host.tools() == {} and not _xray.recording()
        host.request()
        resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
        with host.start(path="b.xr") as session:
            host.request()
        assert session.wait().requests.traced == 1
        """,
        shared,
        agent,
        returncode=None,
    )
    assert finished.returncode == 0, finished.stderr
    assert "threads could not be started" in finished.stdout, finished


def test_the_disk_is_full(host):
    # A limit on the size of files does what a full disk does: writes are refused, in the middle of a session.
    host.run(
        """
        import resource
        import host, xray
        host.request()
        session = host.start(path="a.xr")
        for _ in range(20): host.request()
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
        for n in range(200): host.request(depth=n)
        import time; time.sleep(1.2)
        assert session.progress.state == "recording"
        for n in range(20): host.request(depth=n)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        host.request()
        session.stop()
        report = session.wait()
        assert report.requests.traced == 241, report.requests
        """
    )


def test_there_are_no_more_descriptors(host):
    host.run(
        """
        import os, resource
        import host, xray
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        held = []
        try:
            while True: held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        for _ in range(5): host.request()
        try:
            host.start(path="a.xr")
        except (RuntimeError, OSError) as error:
            assert "open files" in str(error), error
        for fd in held: os.close(fd)
        for _ in range(5): host.request()
        """,
        returncode=None,
    )


@pytest.mark.parametrize(
    "name",
    ["x" * 3000, "приложение é 日本", "a/../../b", 'with\nlines\tand "quotes"', " ", "\udcff\udc80"],
    ids=range(6),
)
def test_names_of_applications(host, name):
    finished = host.run(
        """
        import os
        import host, xray
        for _ in range(3): host.request()
        with host.start(path="a.xr") as session:
            host.request()
        assert session.wait().requests.traced == 1
        host.eventually(lambda: any("socket" in what for what in host.descriptors().values()))
        """,
        env={"XRAY_APP": name},
    )
    assert finished.stdout == ""


def test_names_that_are_no_text(host):
    host.run(
        """
        import host, xray
        from xray import _xray
        odd = ["\\udcff", "", "\\0", "x" * 100_000, "é\\n", None, 7, b"bytes", ["list"]]
        def all_of(wrong):
            transaction = _xray.begin(_xray.WEB)
            transaction.set_name(wrong)
            transaction.set_route(wrong, wrong, wrong, wrong, wrong)
            transaction.set_status(wrong)
            transaction.set_error(wrong)
            transaction.set_attribute(wrong, wrong)
            _xray.enter_segment(_xray.SEGMENT_CACHE, wrong, wrong)
            _xray.enter_sql(wrong, wrong)
            host.call(2)
            _xray.leave_segment(wrong, False)
            _xray.leave_segment(-1, True)
            transaction.end()
        for wrong in odd: all_of(wrong)
        with host.start("*", path="a.xr") as session:
            for wrong in odd: all_of(wrong)
            with xray.transaction("\\udcff"): host.call(1)
        assert session.wait().requests.matched == len(odd) + 1
        """
    )


def test_code_of_undecodable_files(host, tmp_path):
    host.run(
        """
        import os
        import host, xray
        name = os.fsdecode(b"mod\\xff\\xfe.py")
        code = compile("def f\\u00e9(n): return n", name, "exec")
        names = {}
        exec(code, names)
        os.mkdir(b"dir\\xff"); os.chdir(b"dir\\xff")
        with host.start(path="a.xr") as session:
            with xray.transaction("work"): names["f\\u00e9"](1)
        (trace,) = session.wait().traces
        assert "f\\u00e9" in [node.name for node in trace.nodes]
        """,
        env={"XRAY_APP": None},
    )


@pytest.mark.parametrize("options", ["-S", "-I -S", "-O", "-X dev", "-X utf8", "-bb", "-u", "-W error"])
def test_options_of_python(host, options):
    finished = host.run(
        """
        import sys
        sys.path[:0] = sys.argv[1:]
        import host, xray
        host.request()
        with host.start(path="a.xr") as session:
            host.request()
        if session.wait().requests.traced != 1: raise SystemExit(1)
        """,
        *MODULES,
        Path(xray.__file__).parents[1],
        options=options.split(),
    )
    assert finished.stdout == ""
