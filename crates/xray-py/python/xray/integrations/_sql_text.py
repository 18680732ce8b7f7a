"""The text of a statement, whatever the driver takes for one."""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

#: Where psycopg 3 and psycopg2 keep what an object that composes a statement was made of.
_PARTS = ("_obj", "_wrapped")


def text_of(query: Any) -> str:
    """The statement; of an object that composes it, put together without running the driver's code.

    Only its shape is needed: names and the words of SQL. A value in it becomes a placeholder here already.
    """
    if isinstance(query, str):
        return query
    if isinstance(query, bytes | bytearray):
        return query.decode("utf-8", "replace")
    return _composed(query)


def _composed(part: Any) -> str:
    kind = type(part).__name__
    inner = next((getattr(part, name) for name in _PARTS if hasattr(part, name)), None)
    if kind == "SQL" and isinstance(inner, str):
        return inner
    if kind == "Composed" and isinstance(inner, list | tuple):
        return "".join(map(_composed, inner))
    if kind == "Identifier" and isinstance(inner, list | tuple):
        return ".".join('"' + str(name).replace('"', '""') + '"' for name in inner)
    return "%s"
