"""Whose frames a traceback shows."""

import traceback
from pathlib import Path

import xray

PACKAGE = str(Path(xray.__file__).parent)


def own_frames(error):
    """The names of xray's functions in the traceback of ``error``."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.name for frame in frames if frame.filename.startswith(PACKAGE)]
