"""``make wheels``: a wheel for each CPython, and the source archive, in ``dist/``; then each is installed and tried.

Wheels are manylinux2014: zig links them against glibc 2.17, whatever this machine has. Those for another processor are
built where the Rust standard library for it is installed (``rustup target add aarch64-unknown-linux-gnu``).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import interpreters
import licenses
import toolchain
import venvs
from interpreters import Interpreter
from paths import EXTENSION, TOP

DIST = TOP / "dist"
PROFILE = "wheel"
PLATFORM = "manylinux2014"
NATIVE, OTHER = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
#: The stripped extension, in bytes.
MOST_BYTES = 8_000_000
#: What an installed xray must answer.
TRIAL = """
import sys, xray, xray.report, xray.session
with xray.start_session("work", share=1.0, max_overhead=1.0, seconds=60, path=sys.argv[1]) as session:
    with xray.transaction("work"):
        sum(range(1000))
report = session.wait()
assert report.requests.traced == 1, report.requests
assert "site-packages" in xray.__file__, xray.__file__
"""


def build_name() -> str:
    """What this is built from: the commit, and whether something was changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=TOP, capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else "an archive"


def environment() -> dict[str, str]:
    """The environment for maturin, with zig on the PATH."""
    env = toolchain.environment()
    env["PATH"] = f"{venvs.TOOLS / 'bin'}{os.pathsep}{env['PATH']}"
    env["XRAY_BUILD"] = build_name()
    # Apart from that of everyday builds: other flags.
    env["CARGO_TARGET_DIR"] = str(TOP / "target" / "wheels")
    return env


def has_target(target: str) -> bool:
    """Whether the Rust standard library for ``target`` is installed."""
    argv = ["rustc", "--print", "target-libdir", "--target", target]
    done = subprocess.run(argv, cwd=TOP, env=toolchain.environment(), capture_output=True, text=True)
    return done.returncode == 0 and any(Path(done.stdout.strip()).glob("libstd-*.rlib"))


def build(interpreter: Interpreter, target: str) -> None:
    """Build one wheel. For another processor no interpreter is needed: maturin knows what they are like."""
    venvs.say(f"wheel for Python {interpreter.version}, {target}")
    python = str(interpreter.executable) if target == NATIVE else f"python{interpreter.version}"
    argv = [str(venvs.TOOLS / "bin" / "maturin"), "build", "--quiet", "--locked", "--profile", PROFILE, "--zig"]
    argv += ["--target", target, "--compatibility", PLATFORM, "--interpreter", python]
    venvs.run([*argv, "--manifest-path", str(EXTENSION / "Cargo.toml"), "--out", str(DIST)], environment())


def build_source() -> None:
    """Make the source archive."""
    venvs.say("source archive")
    argv = [str(venvs.TOOLS / "bin" / "maturin"), "sdist"]
    venvs.run([*argv, "--manifest-path", str(EXTENSION / "Cargo.toml"), "--out", str(DIST)], environment())


def check_wheel(wheel: Path) -> None:
    """Its size, and what it must carry besides code.

    :raises SystemExit: something is missing, or it is too large.
    """
    with zipfile.ZipFile(wheel) as archive:
        files = {item.filename: item.file_size for item in archive.infolist()}
    (size,) = [size for name, size in files.items() if name.endswith(".so")]
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, extension {size:,} bytes", flush=True)
    if size > MOST_BYTES:
        sys.exit(f"{wheel.name}: the extension has more than {MOST_BYTES:,} bytes")
    for wanted in ("LICENSE-MIT", "LICENSE-APACHE", licenses.FILE.name, "py.typed"):
        if not any(name.endswith(f"/{wanted}") for name in files):
            sys.exit(f"{wheel.name} has no {wanted}")


def try_out(archive: Path, interpreter: Interpreter) -> None:
    """Install ``archive`` into an empty environment; import it, record a session, ask the command for its version.

    :raises SystemExit: one of it failed.
    """
    venvs.say(f"{archive.name} in an empty environment with Python {interpreter.release}")
    with tempfile.TemporaryDirectory(prefix="xray-wheel-") as directory:
        venv = Path(directory) / "venv"
        venvs.run([str(interpreter.executable), "-m", "venv", "--without-pip", str(venv)])
        # The source archive is compiled, which needs Rust and nothing else.
        env = without_node(toolchain.environment(), Path(directory)) | {"XRAY_SOCKET_DIR": f"{directory}/x"}
        venvs.run([*venvs.pip_install(venv), str(archive)], env)
        session = f"{directory}/trial.xr"
        venvs.run([str(venvs.python_of(venv)), "-I", "-c", TRIAL, session], env)
        venvs.run([str(venv / "bin" / "xray"), "--version"], env)
        venvs.run([str(venv / "bin" / "xray"), "report", session, "--html", f"{directory}/session.html"], env)


def without_node(env: dict[str, str], directory: Path) -> dict[str, str]:
    """``env`` with commands in place of Node's that fail: an archive must not need them."""
    commands = directory / "no-node"
    commands.mkdir()
    for name in ("node", "npm", "npx", "esbuild"):
        (commands / name).write_text("#!/bin/sh\necho 'Node is not needed here' >&2\nexit 1\n")
        (commands / name).chmod(0o755)
    return env | {"PATH": f"{commands}{os.pathsep}{env.get('PATH', '')}"}


def main() -> int:
    """Build, check and try out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", action="store_true", help="only for the first Python, and the source archive")
    first = parser.parse_args().first
    try:
        pythons = interpreters.chosen()[: 1 if first else None]
        with venvs.exclusive():
            venvs.make(venvs.TOOLS, interpreters.running(), ["build", "lint", "wheels"])
        shutil.rmtree(DIST, ignore_errors=True)
        targets = [NATIVE, *([OTHER] if has_target(OTHER) else [])]
        for interpreter in pythons:
            for target in targets:
                build(interpreter, target)
        build_source()
    except (interpreters.NoInterpreter, toolchain.NoToolchain) as error:
        sys.exit(str(error))
    for interpreter in pythons:
        tag = f"cp{interpreter.version.replace('.', '')}"
        for wheel in sorted(DIST.glob(f"*-{tag}-{tag}-*.whl")):
            check_wheel(wheel)
            if "x86_64" in wheel.name:
                try_out(wheel, interpreter)
    (source,) = DIST.glob("*.tar.gz")
    try_out(source, pythons[0])
    if OTHER not in targets:
        print(f"not built: {OTHER}, whose Rust standard library is not installed (rustup target add {OTHER})")
    print(f"{len(pythons) * len(targets)} wheels and the source archive are in {DIST.relative_to(TOP)}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
