"""Django's caches, whatever backend: ``cache get``, and a hit or a miss below it.

Keys stay out: they carry what users typed. A stored value that is the very object given as default counts as a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any

from xray._log import warn_once
from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_CACHE, enter_segment
from xray.integrations._base import wrap
from xray.integrations._cache import found, found_all
from xray.integrations._django_version import require_django
from xray.integrations._segments import nothing_more, trace_calls

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from xray.integrations._segments import Outcome

#: Classes of backends whose methods are wrapped.
_known: set[type] = set()


def trace_caches() -> None:
    """Wrap the methods of each backend's class when one is made, and those of the classes that there are."""
    from django.core.cache import BaseCache, CacheHandler

    require_django()
    wrap(CacheHandler, "create_connection", _create_connection)
    # Backends may have been made of these already. To ask for them would read the settings, too early perhaps.
    classes = [BaseCache]
    while classes:
        kind = classes.pop()
        _trace_class(kind)
        classes += kind.__subclasses__()


def _create_connection(original: Callable[..., Any]) -> Callable[..., Any]:
    def create_connection(self: Any, alias: Any) -> Any:
        try:
            backend = original(self, alias)
        except BaseException as error:
            drop_own_frame(error)
            raise
        kind = type(backend)
        if kind not in _known:
            try:
                _trace_class(kind)
            except Exception:
                warn_once(f"xray cannot follow the cache {kind.__qualname__}", exc_info=True)
        return backend

    return create_connection


def _trace_class(kind: type) -> None:
    for base in kind.__mro__:
        if base not in _known:
            _known.add(base)
            for name in _OUTCOMES.keys() & vars(base).keys():
                trace_calls(base, name, _enter(name), _OUTCOMES[name])


def _enter(name: str) -> Callable[..., bool]:
    def enter(backend: Any, *args: Any, **options: Any) -> bool:
        kind = type(backend)
        return enter_segment(SEGMENT_CACHE, f"cache {name}", f"{kind.__module__}.{kind.__qualname__}")

    return enter


def _one(result: Any, backend: Any, key: Any, default: Any = None, *args: Any, **options: Any) -> tuple[int, str]:
    return found(result is not default)


def _many(result: Any, backend: Any, keys: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return found_all(len(result), len(keys)) if isinstance(keys, Sized) else (len(result), None)


def _whether(result: Any, *args: Any, **options: Any) -> tuple[int, str]:
    return found(bool(result))


#: ``get_or_set`` and the versions of keys are made of these.
_OUTCOMES: dict[str, Outcome] = {
    "add": nothing_more,
    "clear": nothing_more,
    "decr": nothing_more,
    "delete": nothing_more,
    "delete_many": nothing_more,
    "get": _one,
    "get_many": _many,
    "has_key": _whether,
    "incr": nothing_more,
    "set": nothing_more,
    "set_many": nothing_more,
    "touch": _whether,
}
