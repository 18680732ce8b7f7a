"""The frameworks' own test suites give the same results with the agent in and a session recording."""

import collections
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from xml.etree import ElementTree

import pytest
from paths import REQUIREMENTS

import xray

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
#: How many of a suite's requests are traced at least, so that the comparison says something.
SUITES = {"flask==3.1.3": 200, "starlette==1.10.0": 200}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment with what the suites need, and xray as it is here."""
    directory = tmp_path_factory.mktemp("suites") / "venv"
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    pip(python, "install", "-r", str(REQUIREMENTS / "suites.txt"))
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(packages.stdout.strip()) / "xray").symlink_to(Path(xray.__file__).parent)
    return python


def pip(python, *words):
    subprocess.run([python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True)


def results(python, suite, file, env, *options):
    """The outcome of each test."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--junitxml", file, *options]
    done = subprocess.run([*command, "tests"], cwd=suite, env=env, capture_output=True, text=True)
    assert file.exists(), done.stdout + done.stderr
    cases = ElementTree.parse(file).iter("testcase")
    return {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in cases}


def outcomes(cases):
    """How many tests there are of each outcome."""
    return dict(collections.Counter(" and ".join(tags) or "passed" for tags in cases.values()))


@pytest.mark.parametrize("name", SUITES)
def test_the_results_are_the_same(python, tmp_path, applications, name):
    pip(python, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(tmp_path), name)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    (suite,) = (path for path in tmp_path.iterdir() if (path / "tests").is_dir())
    plain = results(python, suite, tmp_path / "plain.xml", dict(os.environ))
    recording = tmp_path / "all.xr"
    env = {**os.environ, "SUITE_RECORDING": str(recording), "XRAY_SOCKET_DIR": str(applications)}
    env["PYTHONPATH"] = str(Path(__file__).parent)
    recorded = results(python, suite, tmp_path / "recorded.xml", env, "-p", "suite_recording")
    assert recorded == plain
    assert len(plain) > 400, sys.version
    traced = int(recording.with_suffix(".txt").read_text())
    # Shown by `pytest -rP`.
    print(f"{name}: {outcomes(plain)} without a session, {outcomes(recorded)} with one, {traced} requests traced")
    assert traced >= SUITES[name]
