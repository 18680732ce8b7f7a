"""An application does not notice the agent: not without a session, not while every request is traced."""

import difflib
import json

import pytest

PLAIN = """
    from testsite import probe
    print(probe.run(), end="")
"""
INSTALLED = """
    import xray
    xray.install()
    from testsite import probe
    print(probe.run(), end="")
"""
HALF_WAY = """
    from testsite.wsgi import application
    import xray
    xray.install()
    from testsite import probe
    print(probe.run(), end="")
"""
TRACED = """
    import xray
    xray.install()
    from testsite import probe
    with xray.start_session("*", share=1.0, max_overhead=1.0, minutes=5, path="all.xr") as session:
        print(probe.run(), end="")
    report = session.wait()
    assert report.requests.traced >= 100, report.requests
    assert report.requests.incomplete == 0, report.requests
"""


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """The answers of a process that never imported xray."""
    import os
    import subprocess
    import sys
    import textwrap
    from pathlib import Path

    program = tmp_path_factory.mktemp("without") / "program.py"
    program.write_text(textwrap.dedent(PLAIN))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run([sys.executable, program], capture_output=True, text=True, env=env, check=True).stdout


def test_the_probe_sees_much(without):
    answers = [json.loads(line) for line in without.splitlines()]
    assert len(answers) > 100
    assert any("a secret" in str(answer) and "testsite" in str(answer) for answer in answers)
    statuses = {answer["status"][:3] for answer in answers if isinstance(answer, dict)}
    assert statuses >= {"200", "301", "404", "405", "500"}


@pytest.mark.parametrize(
    "source, env",
    [
        pytest.param(INSTALLED, {}, id="installed"),
        pytest.param(HALF_WAY, {}, id="installed late"),
        pytest.param(INSTALLED, {"XRAY_DISABLE": "1"}, id="disabled"),
        pytest.param(PLAIN, {"TESTSITE_MIDDLEWARE": "xray.integrations.django.Middleware"}, id="middleware by hand"),
        pytest.param(TRACED, {}, id="traced"),
    ],
)
def test_nothing_differs(run, without, source, env):
    finished = run(source, env=env)
    same = finished.stdout == without
    lines = difflib.unified_diff(
        without.splitlines(), finished.stdout.splitlines(), "without", "with", lineterm="", n=0
    )
    assert same, "\n".join(line[:2000] for line in lines)
    assert finished.stderr == ""
