"""Which Pythons there are: those that ``XRAY_PYTHONS`` names, else 3.11 to 3.15 where present."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEFAULT = ("3.11", "3.12", "3.13", "3.14", "3.15")
REQUIRED = "3.11"
PROBE = (
    "import sys, sysconfig; v = sys.version_info; "
    "print('%d.%d%s' % (v[0], v[1], 't' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''), "
    # In a virtual environment, one of ours perhaps, the Python that it was made with.
    "getattr(sys, '_base_executable', sys.executable), "
    "sys.implementation.name, '.'.join(map(str, v[:3])), sep='\\n')"
)


class NoInterpreter(Exception):
    """A Python that is needed is not there; the message says what to do."""


@dataclass(frozen=True)
class Interpreter:
    """One CPython."""

    version: str  # 3.11, 3.13t
    release: str  # 3.11.7
    executable: Path


def probe(command: str) -> Interpreter | None:
    """The CPython behind ``command``; None when it does not run (a version manager's shim, for example)."""
    try:
        done = subprocess.run([command, "-I", "-c", PROBE], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != 4 or lines[2] != "cpython":
        return None
    return Interpreter(lines[0], lines[3], Path(lines[1]))


def running() -> Interpreter:
    """The Python that runs the scripts."""
    found = probe(sys.executable)
    if found is None:
        raise NoInterpreter(f"{sys.executable} is not CPython: use one to run the scripts")
    return found


def candidates(version: str) -> Iterator[str]:
    """Commands that may be Python ``version``: those of the PATH first, then those that pyenv has built."""
    name = f"python{version}"
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        if directory and (found := shutil.which(name, path=directory)):
            yield found
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    built = [path for path in root.glob(f"versions/{version}.*/bin/{name}") if path.is_file()]
    yield from (str(path) for path in sorted(built, key=_release, reverse=True))


def _release(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.parent.parent.name.split(".") if part.isdigit())


def find(wanted: str) -> Interpreter | None:
    """The interpreter for ``3.12`` or for a path; None when there is none."""
    if os.sep in wanted:
        return probe(wanted)
    for command in candidates(wanted):
        found = probe(command)
        if found and found.version == wanted:
            return found
    return None


def chosen() -> list[Interpreter]:
    """The Pythons to work with, the first one being the main one.

    :raises NoInterpreter: one that must exist does not.
    """
    named = os.environ.get("XRAY_PYTHONS", "").replace(",", " ").split()
    found: list[Interpreter] = []
    for wanted in named or DEFAULT:
        interpreter = find(wanted)
        if interpreter is None:
            if named or wanted == REQUIRED:
                raise NoInterpreter(
                    f"no CPython for {wanted!r}: install it, put it on the PATH, or name others, by version or path: "
                    "XRAY_PYTHONS='3.12 /opt/python/bin/python3'"
                )
            continue
        if all(interpreter.version != other.version for other in found):
            found.append(interpreter)
    return found
