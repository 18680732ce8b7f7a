"""The examples are served by the command that their readme gives, and recorded by the one after it."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from served import Served

EXAMPLES = Path(__file__).parents[3] / "examples"


def commands(example):
    """The commands of an example's readme, in order."""
    text = (EXAMPLES / example / "README.md").read_text()
    return [shlex.split(line) for line in re.findall(r"^ {4}(.*)$", text, re.MULTILINE)]


@pytest.fixture
def start(processes, tmp_path, environment, free_port):
    """Starts an example as its readme says, on a free port."""

    def start(example):
        serve = next(command for command in commands(example) if command[:2] == ["xray", "run"])
        argv = [word.replace("8000", str(free_port)) for word in serve]
        argv = [
            sys.executable,
            "-m",
            *argv[: argv.index("--") + 1],
            sys.executable,
            "-m",
            *argv[argv.index("--") + 1 :],
        ]
        log = tmp_path / "log"
        process = processes.start(argv, log, environment, EXAMPLES / example)
        app = serve[serve.index("--app") + 1]
        return Served(process, free_port, log, app, environment)

    return start


def target(example):
    """What the readme records."""
    start = next(command for command in commands(example) if command[:3] == ["xray", "session", "start"])
    return start[start.index("--transaction") + 1]


@pytest.mark.parametrize(
    "example, paths, calls",
    [("fastapi", ["/items/7", "/items/8"], {"show": 1, "price": 1, "stock": 2}), ("flask", ["/notes/7"], {"words": 1})],
)
def test_a_web_example(start, tmp_path, example, paths, calls):
    served = start(example)
    served.wait_until_ready()
    assert all(served.ask(path)[0] == 200 for path in paths)
    name = target(example)
    assert (name, "web") in served.transactions()
    report = served.record(name, tmp_path / "s.xr", lambda: served.ask_at_once(paths * 10, clients=4))
    assert report["requests"]["traced"] == len(report["traces"]) == 10 * len(paths)
    for trace in report["traces"]:
        nodes = served.trace(tmp_path / "s.xr", trace["id"])["nodes"]
        for function, count in calls.items():
            # A coroutine is entered once more for each time it waited.
            assert sum(node["calls"] for node in nodes if node["name"] == function) in (count, 1), (function, nodes)
    assert served.xray("report", str(tmp_path / "s.xr"))


def test_the_celery_example(start, tmp_path, environment, processes):
    served = start("celery")
    (script,) = [command[1:] for command in commands("celery") if command[0] == "python"]

    def work():
        assert processes.run([sys.executable, *script], environment, EXAMPLES / "celery") == 0
        served.wait_for_count(target("celery"), work.done + 20, "background")
        work.done += 20

    work.done = 0
    work()
    report = served.record(target("celery"), tmp_path / "s.xr", work, workers=None)
    assert report["requests"]["traced"] == 20
    trace = served.trace(tmp_path / "s.xr", report["traces"][0]["id"])
    assert sum(node["calls"] for node in trace["nodes"] if node["name"] == "square") == 100
    assert json.loads(served.xray("transactions", "--app", served.app, "--json"))
