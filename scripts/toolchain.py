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
    # rustup's cargo looks for its toolchains in $HOME; with another HOME they are still beside the cargo of the PATH.
    installed = Path(cargo).parent.parent
    rustup = installed.with_name(".rustup")
    if "RUSTUP_HOME" not in env and not (Path.home() / ".rustup").is_dir() and rustup.is_dir():
        env["RUSTUP_HOME"] = str(rustup)
    if "CARGO_HOME" not in env and not (Path.home() / ".cargo").is_dir() and os.access(installed / "registry", os.W_OK):
        env["CARGO_HOME"] = str(installed)
    if python is not None:
        env["PYO3_PYTHON"] = str(python)
        # The extension never links to libpython: the interpreter that loads it has all symbols.
        env["PYO3_BUILD_EXTENSION_MODULE"] = "1"
    done = subprocess.run([cargo, "--version"], env=env, cwd=TOP, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise NoToolchain(f"{cargo} does not run: {reason}")
    return env


def has_nextest(env: dict[str, str]) -> bool:
    """Whether cargo-nextest is installed; without it the tests run under ``cargo test``."""
    done = subprocess.run(["cargo", "nextest", "--version"], env=env, cwd=TOP, capture_output=True)
    return done.returncode == 0
