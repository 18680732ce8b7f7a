"""``make bench``: measures under every Python there is, then makes the table. See benches/README.md."""

import argparse
import subprocess
import sys

import server
import venvs
from paths import BUILD, TOP
from processes import Processes

BENCHES = ["request", "idle"]


def main() -> int:
    """Set up, measure, tabulate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=", ".join(BENCHES))
    chosen = parser.parse_args().benches or BENCHES
    if unknown := set(chosen) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    pythons = [venvs.python_of(venvs.venv_of(interpreter)) for interpreter in venvs.prepared_or_exit(["demo"])]
    database = BUILD / "bench" / "blog.sqlite3"
    server.load_data(pythons[0], database)
    for python in pythons:
        for name in chosen:
            print(f"-- {name}, {python.parent.parent.name}", flush=True)
            with Processes() as processes:
                code = processes.run([str(python), f"benches/{name}.py", str(database)], cwd=TOP)
            if code != 0:
                return code
    return subprocess.run([str(pythons[0]), "benches/table.py"], cwd=TOP).returncode


if __name__ == "__main__":
    sys.exit(main())
