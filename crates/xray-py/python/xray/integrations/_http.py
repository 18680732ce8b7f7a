"""What the segments of HTTP clients have in common: ``GET example.com``, and the status below it.

Path, query and user information of a URL stay out: they carry what users typed.
"""

from __future__ import annotations

from xray._xray import SEGMENT_EXTERNAL, enter_segment, method_name

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any


def enter_request(method: Any, host: str, client: str) -> bool:
    """Open the segment of a request."""
    return enter_segment(SEGMENT_EXTERNAL, f"{method_name(str(method).upper())} {host}", client)


def host_of(url: str) -> str:
    """Host, and port if there is one, of an absolute URL; ``?`` of any other text."""
    _, found, rest = url.partition("://")
    if not found:
        return "?"
    for end in "/?#":
        rest = rest.partition(end)[0]
    return rest.rpartition("@")[2].lower() or "?"


def status_of(status: Any) -> tuple[int, str | None]:
    """The outcome of a request with this status."""
    return -1, str(int(status))
