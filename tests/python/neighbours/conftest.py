"""Runs one program under a neighbour, with and without sessions, and compares what the neighbour saw."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: What every program begins with: `session()` records in the modes that want one, and is nothing in the others.
HEAD = """
import contextlib, json, os, sys
import xray
MODE = sys.argv[1]
xray.install()
with xray.transaction("first"):
    pass
opened = []

@contextlib.contextmanager
def session(name="*"):
    if MODE == "none":
        yield
        return
    with xray.start_session(name, seconds=60, share=1.0, max_overhead=1.0, path="a.xr", traces=1000) as running:
        yield
    opened.append(running.wait())

def tell(seen):
    answer = {"seen": seen}
    if opened:
        (report,) = opened
        answer["traced"], answer["control"] = report.requests.traced, report.requests.control
        answer["mechanism"] = report.session.processes[0].tracer.mechanism
        answer["reason"] = report.session.processes[0].tracer.reason
        answer["notes"] = [note["message"] for note in report.to_dict()["notes"]]
    print("\\n" + json.dumps(answer), flush=True)
"""


@pytest.fixture
def under(tmp_path):
    """Runs a program in one mode; gives what it told."""

    def run(source, mode, env=None):
        program = tmp_path / "program.py"
        program.write_text(HEAD + textwrap.dedent(source))
        directory = tmp_path / mode
        directory.mkdir()
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(program), mode],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONHASHSEED": "0", **(env or {})},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.rstrip().rpartition("\n")[2])

    return run
