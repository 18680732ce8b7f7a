"""xray counts every call: its counts equal those of ``sys.setprofile`` in a process that never imported xray."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from programs import programs

COUNTER = Path(__file__).with_name("count_calls.py")


def count(how: str, directory: Path, what: str, argument: str, repeat: int, database: Path | None = None) -> Any:
    """Counts by one way, in a process of its own."""
    out = directory / f"{how}.json"
    env = dict(os.environ) | {"PYTHONHASHSEED": "0", "XRAY_DEMO_FAULT": "0", "XRAY_SOCKET_DIR": str(directory / "x")}
    if database:
        env["TAGBLOG_DB"] = str(database)
    argv = [sys.executable, str(COUNTER), how, str(out), what, argument, str(repeat)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def differences(expected: Any, found: Any) -> list[str]:
    """What two lists of counts disagree about."""
    one, other = ({tuple(row[:3]): row[3] for row in counts} for counts in (expected, found))
    different = [key for key in sorted(set(one) | set(other)) if one.get(key) != other.get(key)]
    return [f"{key}: {one.get(key, 0)} expected, {other.get(key, 0)} found" for key in different]


def check_equal(directory: Path, what: str, argument: str, database: Path | None = None) -> None:
    reference = count("profiler", directory, what, argument, 1, database)
    traced = count("xray", directory, what, argument, reference["repeat"], database)
    assert sum(row[3] for row in reference["counts"]) >= 10_000
    assert differences(reference["counts"], traced["counts"]) == []


def test_counts_of_the_tag_page(tmp_path: Path, database: Path) -> None:
    check_equal(tmp_path, "blog", "-", database)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs())
def test_counts_of_generated_programs(text: str) -> None:
    check_program(text)


@pytest.mark.long
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_counts_of_many_generated_programs(text: str) -> None:
    check_program(text)


def check_program(text: str) -> None:
    note(text)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "generated.py"
        file.write_text(text)
        check_equal(Path(directory), "program", str(file))
