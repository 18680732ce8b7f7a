"""The licences of what the extension is linked with: ``python scripts/licenses.py`` writes them, ``--check`` compares.

They go into every wheel and the source archive as THIRD-PARTY-LICENSES.txt. Only crates count whose code ends up in the
extension: neither those that run at build time nor procedural macros. A licence that is not on the list stops it.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import toolchain
from paths import EXTENSION, TOP

FILE = EXTENSION / "THIRD-PARTY-LICENSES.txt"
ROOT = "xray-py"
#: Platforms that there are wheels for.
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]
#: All of these ask for no more than that their text goes along. Of several that a crate offers the first is taken.
ALLOWED = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Zlib", "0BSD", "Unicode-3.0", "Unlicense"]
#: Files that may hold a licence, in a crate's directory or, of a C library that it carries, one below.
NAMES = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.IGNORECASE)
HEAD = """\
Licences of the software that is part of xray's native extension, besides xray itself.

The Rust standard library is part of it too: copyright (c) The Rust Project Contributors, MIT OR Apache-2.0.
"""


class NotAllowed(Exception):
    """A crate's licence is not on the list, or it carries no text."""


@dataclass(frozen=True, order=True)
class Crate:
    """One crate that is linked."""

    name: str
    version: str
    licence: str
    directory: Path

    @property
    def choice(self) -> list[str]:
        """The licences that we take it under: of several sets the first that is allowed; with brackets, all named."""
        joined = r"\s+(?:AND|OR)\s+" if "(" in self.licence else r"\s+AND\s+"
        options = [self.licence] if "(" in self.licence else re.split(r"\s+OR\s+|/", self.licence)
        sets = [[name.strip("() ") for name in re.split(joined, option)] for option in options]
        allowed = [names for names in sets if all(name in ALLOWED for name in names)]
        if not allowed:
            raise NotAllowed(f"{self.name} {self.version}: {self.licence}")
        return min(allowed, key=lambda names: max(map(ALLOWED.index, names)))

    def texts(self) -> Iterator[str]:
        """The texts for that choice; all that there are when their names do not tell."""
        files = [path for path in sorted(self.directory.glob("*")) if path.is_file() and NAMES.search(path.name)]
        told = [path for path in files if any(name.split("-")[0].lower() in path.name.lower() for name in self.choice)]
        carried = [path for path in sorted(self.directory.glob("*/*")) if path.is_file() and path.name == "LICENSE"]
        found = [*(told or files), *carried]
        if not found:
            raise NotAllowed(f"{self.name} {self.version} carries no text of its licence ({self.licence})")
        for path in found:
            yield "\n".join(line.rstrip() for line in path.read_text(errors="replace").strip().splitlines())


def linked(target: str) -> set[Crate]:
    """The crates that are part of the extension on one platform."""
    argv = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}"]
    done = subprocess.run(argv, cwd=TOP, env=toolchain.environment(), capture_output=True, check=True)
    metadata: dict[str, Any] = json.loads(done.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [key for key, package in packages.items() if package["name"] == ROOT]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key in seen or any("proc-macro" in kind for kind in _kinds(packages[key])):
            continue
        seen.add(key)
        waiting += [dep["pkg"] for dep in nodes[key]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    foreign = [packages[key] for key in seen if packages[key]["source"] is not None]
    return {
        Crate(package["name"], package["version"], package["license"] or "none", Path(package["manifest_path"]).parent)
        for package in foreign
    }


def _kinds(package: dict[str, Any]) -> list[list[str]]:
    return [target["kind"] for target in package["targets"]]


def collected() -> str:
    """The whole file: each text once, below the crates that it is for."""
    crates = sorted(set().union(*map(linked, TARGETS)))
    by_text: dict[str, list[Crate]] = {}
    for crate in crates:
        for text in dict.fromkeys(crate.texts()):
            by_text.setdefault(text, []).append(crate)
    parts = [HEAD]
    for text, of in by_text.items():
        names = "\n".join(f"{crate.name} {crate.version} ({crate.licence})" for crate in of)
        parts.append(f"{'=' * 100}\n{names}\n{'-' * 100}\n\n{text}\n")
    return "\n".join(parts)


def main() -> int:
    """Write the file, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is out of date")
    check = parser.parse_args().check
    try:
        text = collected()
    except NotAllowed as problem:
        print(f"licence: {problem}", file=sys.stderr)
        return 1
    if not check:
        FILE.write_text(text)
        print(FILE.relative_to(TOP))
        return 0
    if FILE.is_file() and FILE.read_text() == text:
        return 0
    print(f"{FILE.relative_to(TOP)} is out of date: python scripts/licenses.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
