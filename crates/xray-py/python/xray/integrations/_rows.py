"""How many rows a statement touched, where the cursor knows it without running code of the driver."""

from __future__ import annotations

from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

#: Class of a cursor -> whether its ``rowcount`` is plain data.
_plain: dict[type, bool] = {}


def rows_of(cursor: Any) -> int:
    """``cursor.rowcount``; -1 when it is not known, or a property in Python: the application did not call it."""
    kind = type(cursor)
    plain = _plain.get(kind)
    if plain is None:
        plain = _plain[kind] = _is_plain(kind)
    if not plain:
        return -1
    try:
        rows = cursor.rowcount
    except Exception:
        return -1
    return rows if isinstance(rows, int) and rows >= 0 else -1


def _is_plain(kind: type) -> bool:
    for base in kind.__mro__:
        names = vars(base)
        if "__getattribute__" in names and base is not object and isinstance(names["__getattribute__"], _FUNCTION):
            return False
        if "rowcount" in names:
            return isinstance(names["rowcount"], GetSetDescriptorType | MemberDescriptorType | int)
    return False


_FUNCTION = type(_is_plain)
