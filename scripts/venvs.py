"""Virtual environments under ``.venvs``, and the extension built and installed into them; nothing is done twice."""

import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import interpreters
import toolchain
from interpreters import Interpreter
from paths import BUILD, EXTENSION, REQUIREMENTS, TOP, VENVS
from processes import Processes

PROFILE = "dist"
#: The environment of the tools that do not import xray.
TOOLS = VENVS / "tools"
#: What the extension is made from.
SOURCES = ("Cargo.toml", "Cargo.lock", "crates")
IGNORED = {"__pycache__", "target", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


@contextmanager
def exclusive() -> Iterator[None]:
    """One set-up at a time: ``make demo`` and ``make test`` may be started together."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    """One line of progress."""
    print(f"-- {message}", flush=True)


def run(argv: list[str], env: dict[str, str] | None = None) -> None:
    """Run ``argv`` at the top of the checkout; ends the program when it fails."""
    with Processes() as processes:
        code = processes.run(argv, env, TOP)
    if code != 0:
        sys.exit(f"failed with exit code {code}: {' '.join(argv)}")


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / "bin" / "python"


def pip_install(venv: Path) -> list[str]:
    """The beginning of a command that installs into ``venv``: with the tools' pip, which knows the newest Pythons."""
    pip = [str(python_of(TOOLS)), "-m", "pip", "--python", str(python_of(venv))]
    return [*pip, "install", "--quiet", "--disable-pip-version-check"]


def venv_of(interpreter: Interpreter) -> Path:
    """Where the virtual environment for ``interpreter`` is."""
    return VENVS / f"py{interpreter.version}"


def wheels_of(interpreter: Interpreter) -> Path:
    """Where the wheel is that was built for ``interpreter``."""
    return BUILD / "wheels" / f"py{interpreter.version}"


def digest(paths: Iterable[Path], *also: str) -> str:
    """A hash of files' names and contents, and of further words."""
    state = hashlib.sha256("\0".join(also).encode())
    for path in paths:
        state.update(f"\0{path.relative_to(TOP)}\0".encode())
        state.update(path.read_bytes())
    return state.hexdigest()


def is_stamped(stamp: Path, content: str) -> bool:
    """Whether the step that writes ``stamp`` was done with the same input."""
    return stamp.is_file() and stamp.read_text() == content


def make(venv: Path, interpreter: Interpreter, requirement_files: list[str]) -> None:
    """Make ``venv`` (again, when its interpreter is another one) and install what the requirement files name."""
    maker = f"{interpreter.executable} {interpreter.release}"
    if not is_stamped(venv / ".made", maker):
        say(f"virtual environment {venv.relative_to(TOP)} with Python {interpreter.release}")
        shutil.rmtree(venv, ignore_errors=True)
        # Only the tools need pip: the one that a distribution gives a Python may be older than that Python.
        run([str(interpreter.executable), "-m", "venv", *([] if venv == TOOLS else ["--without-pip"]), str(venv)])
        (venv / ".made").write_text(maker)
    for name in requirement_files:
        file = REQUIREMENTS / f"{name}.txt"
        content, stamp = digest([file]), venv / f".installed-{name}"
        if not is_stamped(stamp, content):
            say(f"{venv.relative_to(TOP)}: {file.relative_to(TOP)}")
            run([*pip_install(venv), "-r", str(file)])
            stamp.write_text(content)


def source_files() -> Iterator[Path]:
    """All files that the extension is made from, in a fixed order."""
    for name in SOURCES:
        path = TOP / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and file.suffix not in {".so", ".pyc"} and not IGNORED.intersection(file.parts):
                yield file


def install_extension(interpreter: Interpreter, maturin: Path) -> None:
    """Build the wheel for ``interpreter`` and install it, unless its sources are those of the installed one."""
    venv = venv_of(interpreter)
    content, stamp = digest(source_files(), PROFILE, interpreter.release), venv / ".installed-xray"
    if is_stamped(stamp, content):
        return
    say(f"the extension for Python {interpreter.version} (cargo profile {PROFILE})")
    wheels = wheels_of(interpreter)
    shutil.rmtree(wheels, ignore_errors=True)
    env = toolchain.environment(python_of(venv))
    manifest = str(EXTENSION / "Cargo.toml")
    build = [str(maturin), "build", "--quiet", "--locked", "--profile", PROFILE, "--compatibility", "linux"]
    run([*build, "--manifest-path", manifest, "--interpreter", str(python_of(venv)), "--out", str(wheels)], env)
    (wheel,) = wheels.glob("*.whl")
    run([*pip_install(venv), "--no-index", "--no-deps", "--force-reinstall", str(wheel)])
    stamp.write_text(content)


def prepare(pythons: list[Interpreter], requirement_files: list[str], extension: bool = True) -> None:
    """The tools, and environments with the requirement files and the extension for all ``pythons``."""
    with exclusive():
        make(TOOLS, interpreters.running(), ["build", "lint"])
        for interpreter in pythons:
            make(venv_of(interpreter), interpreter, requirement_files)
            if extension:
                install_extension(interpreter, TOOLS / "bin" / "maturin")


def prepared_or_exit(
    requirement_files: list[str], *, only_first: bool = False, extension: bool = True
) -> list[Interpreter]:
    """Choose the Pythons and prepare them; ends the program with one line when something it needs is missing."""
    try:
        pythons = interpreters.chosen()[: 1 if only_first else None]
        prepare(pythons, requirement_files, extension)
    except (interpreters.NoInterpreter, toolchain.NoToolchain) as error:
        sys.exit(str(error))
    return pythons
