"""``sitecustomize`` of ``xray run``: the agent is there, and the program notices nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import xray

BOOTSTRAP = Path(xray.__file__).parent / "_bootstrap"
SHOW = "import sys; print([finder for finder in sys.meta_path if type(finder).__module__ == 'xray._import_hook'] != [])"


@pytest.fixture
def python(tmp_path):
    """Runs ``python -c`` as ``xray run`` would, with ``tmp_path`` behind the bootstrap in ``PYTHONPATH``."""

    def python(source, *options, bootstrap=True, env=None):
        path = [*([str(BOOTSTRAP)] if bootstrap else []), str(tmp_path)]
        path += filter(None, [os.environ.get("PYTHONPATH")])
        return subprocess.run(
            [sys.executable, *options, "-c", source],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **(env or {})},
        )

    return python


def test_the_agent_is_there(python):
    assert python(SHOW).stdout == "True\n"


def test_and_in_children_of_the_program(python):
    assert python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}])").stdout == "True\n"


def test_but_not_when_disabled(python):
    assert python(SHOW, env={"XRAY_DISABLE": "1"}).stdout == "False\n"


def test_the_path_is_what_it_would_be(python):
    show = "import sys; print(sys.path)"
    assert python(show).stdout == python(show, bootstrap=False).stdout


def test_the_hidden_sitecustomize_runs(python, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.hidden = __file__")
    show = "import sys, sitecustomize; print(sys.hidden, sitecustomize.__file__)"
    assert python(show).stdout == python(show, bootstrap=False).stdout != ""
    assert python(SHOW).stdout == "True\n"


@pytest.mark.parametrize("source", ["1 / 0", "import module_that_is_not", "raise SystemExit(3)"])
def test_a_hidden_sitecustomize_that_fails_fails_as_ever(python, tmp_path, source):
    (tmp_path / "sitecustomize.py").write_text(source)
    with_agent, without = python(SHOW), python(SHOW, bootstrap=False)
    assert with_agent.returncode == without.returncode
    if with_agent.returncode == 0:
        assert with_agent.stdout == "True\n"
        assert with_agent.stderr == without.stderr


def test_a_python_without_xray_is_told_only_in_the_program_itself(tmp_path):
    # -S and -I would hide the bootstrap: an empty directory of packages is a Python without xray.
    environment = {"PYTHONPATH": str(BOOTSTRAP), "PATH": os.environ["PATH"]}
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not base.exists() or subprocess.run([base, "-c", "import xray"], env={}, capture_output=True).returncode == 0:
        pytest.skip("no Python without xray")
    silent = subprocess.run([base, "-c", "print('runs')"], env=environment, capture_output=True, text=True)
    assert (silent.stdout, silent.stderr) == ("runs\n", "")
    run = (
        "import os, sys; os.environ['XRAY_RUN_PID'] = str(os.getpid()); "
        "os.execv(sys.argv[1], [sys.argv[1], '-c', 'print(1)'])"
    )
    told = subprocess.run([sys.executable, "-c", run, str(base)], env=environment, capture_output=True, text=True)
    assert told.stdout == "1\n"
    assert told.stderr.count("has no xray; install xray-session") == 1
