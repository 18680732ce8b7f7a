"""Versions of libraries, read from what the library says of itself."""

from __future__ import annotations

import re

from xray.integrations._base import require

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any


def require_version(library: str, version: Any, first: tuple[int, ...], last: tuple[int, ...]) -> None:
    """Step aside unless the version, as ``2.1.9rc1``, is between ``first`` and ``last``, compared at their precision.

    :raises Unsupported: it is not, or says nothing.
    """
    numbers = re.match(r"\d+(\.\d+)*", version) if isinstance(version, str) else None
    require(library, tuple(map(int, numbers[0].split("."))) if numbers else (0,), first, last)
