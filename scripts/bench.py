"""``make bench``: measures under every Python there is, then makes the table. See benches/README.md."""

import argparse
import subprocess
import sys
from pathlib import Path

import server
import venvs
from interpreters import Interpreter
from paths import BUILD, TOP, VENVS
from processes import Processes

BENCHES = ["request", "workloads", "idle", "calls", "peers", "asgi", "sampler"]
#: With other agents, in an environment of their own and on the first Python only.
WITH_PEERS = {"peers", "asgi"}


def peer_environment(interpreter: Interpreter) -> Path:
    """The Python of an environment with the site, the other agents and the extension that was built for it."""
    venv = VENVS / "peers"
    venvs.make(venv, interpreter, ["demo", "peers", "profilers"])
    (wheel,) = venvs.wheels_of(interpreter).glob("*.whl")
    venvs.run([*venvs.pip_install(venv), "--no-index", "--no-deps", "--force-reinstall", str(wheel)])
    return venvs.python_of(venv)


def main() -> int:
    """Set up, measure, tabulate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=", ".join(BENCHES))
    chosen = parser.parse_args().benches or BENCHES
    if unknown := set(chosen) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    interpreters = venvs.prepared_or_exit(["demo", "profilers"])
    pythons = [venvs.python_of(venvs.venv_of(interpreter)) for interpreter in interpreters]
    database = BUILD / "bench" / "blog.sqlite3"
    server.load_data(pythons[0], database)
    runs = [(python, name) for python in pythons for name in chosen if name not in WITH_PEERS]
    # The first Python's samplers are compared where Datadog's is.
    runs = [(python, name) for python, name in runs if name != "sampler" or python != pythons[0]]
    if peers := {*WITH_PEERS, "sampler"}.intersection(chosen):
        runs += [(peer_environment(interpreters[0]), name) for name in sorted(peers)]
    for python, name in runs:
        print(f"-- {name}, {python.parent.parent.name}", flush=True)
        with Processes() as processes:
            code = processes.run([str(python), f"benches/{name}.py", str(database)], cwd=TOP)
        if code != 0:
            return code
    return subprocess.run([str(pythons[0]), "benches/table.py"], cwd=TOP).returncode


if __name__ == "__main__":
    sys.exit(main())
