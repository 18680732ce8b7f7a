"""``make test``: set-up and all checks. ``python3.11 scripts/test.py STEP...`` runs only these.

Goes on after a failed step, so that one run shows everything; ends with the failed ones and exit code 1.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable

import interpreters
import services
import toolchain
import venvs
from interpreters import Interpreter
from paths import EXTENSION, TOP
from processes import Processes

Step = Callable[[list[Interpreter]], bool]
#: What ruff looks at, and mypy of the scripts.
OURS = ["crates/xray-py/python", "tests/python", "scripts", "benches", "examples"]
SCRIPTS = ["scripts", "benches"]


def passes(argv: list[str], env: dict[str, str] | None = None) -> bool:
    """Whether ``argv`` ends with exit code 0."""
    print(f"$ {' '.join(argv)}", flush=True)
    with Processes() as processes:
        return processes.run(argv, env, TOP) == 0


def cargo(pythons: list[Interpreter], *arguments: str) -> bool:
    """A cargo command; xray-py is checked for the main Python."""
    return passes(["cargo", *arguments], toolchain.environment(venvs.python_of(venvs.venv_of(pythons[0]))))


def rustfmt(pythons: list[Interpreter]) -> bool:
    """Formatting of the Rust code."""
    return cargo(pythons, "fmt", "--all", "--check")


def clippy(pythons: list[Interpreter]) -> bool:
    """Lints of the Rust code."""
    return cargo(pythons, "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings")


def rust(pythons: list[Interpreter]) -> bool:
    """Tests of the Rust code; xray-py needs an interpreter and is tested by pytest."""
    workspace = ["--workspace", "--exclude", "xray-py", "--locked"]
    if toolchain.has_nextest(toolchain.environment()):
        # nextest runs no documentation tests.
        return all([cargo(pythons, "test", "--doc", *workspace), cargo(pythons, "nextest", "run", *workspace)])
    return cargo(pythons, "test", *workspace)


def licences(pythons: list[Interpreter]) -> bool:
    """Whether the licences of what the extension is linked with are collected, and allowed."""
    return passes([sys.executable, "scripts/licenses.py", "--check"])


def ruff(pythons: list[Interpreter]) -> bool:
    """Lints and formatting of the Python code."""
    command = str(venvs.TOOLS / "bin" / "ruff")
    present = [path for path in OURS if (TOP / path).exists()]
    return all([passes([command, "check", *present]), passes([command, "format", "--check", *present])])


def mypy(pythons: list[Interpreter]) -> bool:
    """Types of the package and of the scripts, and the stubs against the built extension."""
    python = str(venvs.python_of(venvs.venv_of(pythons[0])))
    package = EXTENSION / "python" / "xray"
    return all(
        [
            passes([python, "-m", "mypy", "--strict", str(package.relative_to(TOP))]),
            *(passes([python, "-m", "mypy", "--strict", path]) for path in SCRIPTS),
            # The only module whose types stand apart from its code; the others are checked by mypy itself.
            passes([python, "-m", "mypy.stubtest", "xray._xray", "--mypy-config-file", "mypy.ini"]),
        ]
    )


def pytest(pythons: list[Interpreter]) -> bool:
    """Tests of the package against the built extension, under every Python."""
    good = True
    for number, interpreter in enumerate(pythons):
        python = venvs.python_of(venvs.venv_of(interpreter))
        print(f"\n-- pytest on Python {interpreter.release}", flush=True)
        env = dict(os.environ) | {"PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        extra = shlex.split(os.environ.get("XRAY_PYTEST", "")) or ["-m", MAIN if number == 0 else OTHERS]
        good &= passes([str(python), "-m", "pytest", "tests/python", *extra], env)
    return good


#: What pytest runs every day: under the main Python, and under the others.
MAIN, OTHERS = "not long", "not long and not matrix"

STEPS: dict[str, Step] = {step.__name__: step for step in (rustfmt, ruff, clippy, licences, rust, mypy, pytest)}


#: The steps that import xray.
WITH_EXTENSION = {"mypy", "pytest"}


def set_up(steps: list[str]) -> list[Interpreter]:
    """Environments and tools, and the extension if a step needs it."""
    if "pytest" in steps:
        services.install_missing()
    pythons = venvs.prepared_or_exit(
        ["demo", "test", "libraries", "web", "neighbours"], extension=not WITH_EXTENSION.isdisjoint(steps)
    )
    missing = [wanted for wanted in interpreters.DEFAULT if wanted not in {p.version for p in pythons}]
    if missing and not os.environ.get("XRAY_PYTHONS"):
        print(f"-- not present and not tested: Python {', '.join(missing)}")
    return pythons


def main() -> int:
    """Run the steps and say how they went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    steps = parser.parse_args().steps or list(STEPS)
    if unknown := set(steps) - set(STEPS):
        parser.error(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    started = time.monotonic()
    pythons = set_up(steps)
    results: list[tuple[str, bool, float]] = [("set-up", True, time.monotonic() - started)]
    for name in steps:
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        good = STEPS[name](pythons)
        results.append((name, good, time.monotonic() - began))
    print("\n=== summary")
    for name, good, seconds in results:
        print(f"{name:<10} {'passed' if good else 'FAILED'} in {seconds:.0f} s")
    return 0 if all(good for _, good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
