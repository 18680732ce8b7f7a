"""How many rows a statement touched, where the cursor knows it without running code of the driver."""

from __future__ import annotations

from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

#: psycopg 3 has a property in Python on top of a slot.
_NAMES = ("rowcount", "_rowcount")

#: Class of a cursor -> the attribute with the rows that is plain data, if there is one.
_plain: dict[type, str | None] = {}


def rows_of(cursor: Any) -> int:
    """``cursor.rowcount``; -1 when it is not known, or a property in Python: the application did not call it."""
    kind = type(cursor)
    if kind not in _plain:
        _plain[kind] = next((name for name in _NAMES if _is_plain(kind, name)), None)
    name = _plain[kind]
    if name is None:
        return -1
    try:
        rows = getattr(cursor, name)
    except Exception:
        return -1
    return rows if isinstance(rows, int) and rows >= 0 else -1


def _is_plain(kind: type, name: str) -> bool:
    for base in kind.__mro__:
        names = vars(base)
        if "__getattribute__" in names and base is not object and isinstance(names["__getattribute__"], _FUNCTION):
            return False
        if name in names:
            return isinstance(names[name], GetSetDescriptorType | MemberDescriptorType | int)
    return False


_FUNCTION = type(_is_plain)
