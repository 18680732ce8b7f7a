"""Memory that the sampler reads is given back all the time: no crash, no wrong result, no wrong name.

What was given back while sampling is counted by the child, not assumed: code objects by weak references, arenas by the
interpreter's allocator, pieces of data stacks by how the address space shrinks when a recursion returns.
"""

import ctypes.util
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="stacks are read under the GIL here",
    ),
]

PROGRAM = Path(__file__).parent / "stressed.py"
#: With the interpreter's own allocator, what must have happened while sampling; with others, a tenth of it.
FULL = {"codes": 100_000, "threads": 10_000, "unmapped": 1_000, "samples": 1_000_000}
TENTH = {name: count // 10 for name, count in FULL.items()}
#: The program's sessions end when there is enough of everything; a slow machine gets this many seconds.
MOST_SECONDS = 1200


def jemalloc():
    """The name that the loader knows it by."""
    name = ctypes.util.find_library("jemalloc")
    if name is None:
        pytest.skip("there is no jemalloc (Debian: libjemalloc2, which redis-server brings)")
    return name


def arenas_unmapped(stderr):
    """Arenas that the interpreter's allocator gave back between its first statistics and its last; None without it."""
    counts = [int(count.replace(",", "")) for count in re.findall(r"# arenas reclaimed +=\s+([\d,]+)", stderr)]
    return counts[-1] - counts[0] if counts else None


@pytest.mark.parametrize("allocator", ["pymalloc", "jemalloc", "malloc", "debug"])
def test_what_is_given_back_while_it_is_read(allocator, tmp_path):
    least = FULL if allocator == "pymalloc" else TENTH
    env = {
        "pymalloc": lambda: {},
        "jemalloc": lambda: {"LD_PRELOAD": jemalloc()},
        "malloc": lambda: {"PYTHONMALLOC": "malloc"},
        "debug": lambda: {"PYTHONMALLOC": "debug"},
    }[allocator]()
    finished = subprocess.run(
        [sys.executable, str(PROGRAM), json.dumps(least), str(MOST_SECONDS)],
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS + 120,
        cwd=tmp_path,
        env={**os.environ, **env},
    )
    assert finished.returncode == 0, (finished.returncode, finished.stderr[-4000:])
    seen = json.loads(finished.stdout)
    counts = {**seen["counts"], "arenas": arenas_unmapped(finished.stderr)}
    print(f"{sys.version.split()[0]} {allocator}: {counts}")
    assert [told.partition(":")[0] for told in seen["mechanisms"]] == ["memory"], seen["mechanisms"]
    assert ("jemalloc" in seen["libraries"]) == (allocator == "jemalloc")
    assert seen["wrong_results"] == []
    assert seen["wrong_names"] == []
    assert counts["named"] > 100, counts
    for name, count in least.items():
        assert counts[name] >= count, counts
    if allocator in ("pymalloc", "jemalloc"):
        assert counts["arenas"] >= least["unmapped"], counts
