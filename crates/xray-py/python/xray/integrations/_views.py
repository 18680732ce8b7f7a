"""Names of views, endpoints and tasks, however they are decorated."""

from __future__ import annotations

import functools

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

#: Decorators around one view.
_MAX_WRAPPERS = 64
#: Views whose names are remembered; an application that makes views as it runs starts over.
_MAX_VIEWS = 10_000

#: By id, with the view, so that the id stays its own.
_views: dict[int, tuple[Any, str]] = {}


def view_name(view: Any) -> str:
    """``blog.views.tag_detail`` of a view, however it is decorated; a class-based view has the name of its class."""
    known = _views.get(id(view))
    if known is not None and known[0] is view:
        return known[1]
    name = _name_of_view(view)
    if len(_views) >= _MAX_VIEWS:
        _views.clear()
    _views[id(view)] = view, name
    return name


def _name_of_view(view: Any) -> str:
    for _ in range(_MAX_WRAPPERS):
        # The mark of Django, Flask and Django REST framework on what `as_view()` gives; decorators copy it.
        view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
        if isinstance(view_class, type):
            view = view_class
            break
        inner = view.func if isinstance(view, functools.partial) else getattr(view, "__wrapped__", None)
        if inner is None:
            break
        view = inner
    if not hasattr(view, "__qualname__"):
        view = type(view)
    name = str(view.__qualname__)
    if isinstance(view, type) and not name.endswith(view.__name__):
        # A class made for a function, and given its name, as `api_view` does.
        name = view.__name__
    module = getattr(view, "__module__", None)
    return f"{module}.{name}" if module else name
