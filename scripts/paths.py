"""Where things are in a checkout."""

from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VENVS = TOP / ".venvs"
BUILD = TOP / ".build"
REQUIREMENTS = TOP / "requirements"
EXTENSION = TOP / "crates" / "xray-py"
TAGBLOG = TOP / "examples" / "tagblog"
