"""Make the virtual environments and build the extension: ``python3.11 scripts/setup.py [REQUIREMENTS...]``.

``XRAY_PYTHONS`` chooses the Pythons, by version or path. What is up to date is left alone.
"""

import argparse
import sys

import venvs


def main() -> int:
    """Set up and say where things are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("requirements", nargs="*", default=["demo"], help="names of files in requirements/ (demo)")
    pythons = venvs.prepared_or_exit(parser.parse_args().requirements)
    for interpreter in pythons:
        print(f"Python {interpreter.release}: {venvs.python_of(venvs.venv_of(interpreter))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
