"""The Rust toolchain's environment."""

import os
import shutil
import subprocess
from pathlib import Path

from paths import TOP


class NoToolchain(Exception):
    """There is no working cargo; the message says what to do."""


def environment(python: Path | None = None) -> dict[str, str]:
    """The environment for cargo and maturin, which works with an empty HOME too.

    ``python`` is the interpreter that xray-py is compiled for.

    :raises NoToolchain: cargo is missing or does not run.
    """
    env = dict(os.environ)
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NoToolchain("cargo is not on the PATH: install Rust (see rust-version in Cargo.toml) and try again")
    problem = _problem(cargo, env)
    if problem and "RUSTUP_HOME" not in env:
        # rustup's cargo looks for its toolchains in $HOME; with another HOME they are still beside the PATH's cargo.
        installed = Path(cargo).parent.parent
        env["RUSTUP_HOME"] = str(installed.with_name(".rustup"))
        if os.access(installed / "registry", os.W_OK):
            env.setdefault("CARGO_HOME", str(installed))
        problem = _problem(cargo, env) and problem
    if problem:
        raise NoToolchain(f"{cargo} does not run: {problem}")
    if python is not None:
        env["PYO3_PYTHON"] = str(python)
        # The extension never links to libpython: the interpreter that loads it has all symbols.
        env["PYO3_BUILD_EXTENSION_MODULE"] = "1"
    return env


def _problem(cargo: str, env: dict[str, str]) -> str | None:
    """The first line of what ``cargo --version`` complains about; None when it works."""
    done = subprocess.run([cargo, "--version"], env=env, cwd=TOP, capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[0]


def has_nextest(env: dict[str, str]) -> bool:
    """Whether cargo-nextest is installed; without it the tests run under ``cargo test``."""
    done = subprocess.run(["cargo", "nextest", "--version"], env=env, cwd=TOP, capture_output=True)
    return done.returncode == 0
