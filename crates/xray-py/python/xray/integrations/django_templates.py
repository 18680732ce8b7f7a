"""Template segments: ``Render/blog/tag_detail.html`` and ``Block/content``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_TEMPLATE, enter_segment, leave_segment, tracing
from xray.integrations._base import wrap
from xray.integrations._django_version import require_django


def trace_templates() -> None:
    """Wrap ``Template.render``: pages, and templates that they include."""
    from django.template.base import Template

    require_django()
    wrap(Template, "render", _renderer("Render/"))


def trace_blocks() -> None:
    """Wrap ``BlockNode.render``."""
    from django.template.loader_tags import BlockNode

    require_django()
    wrap(BlockNode, "render", _renderer("Block/"))


def _renderer(prefix: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def render(self: Any, context: Any) -> Any:
            traced = tracing() and _enter(prefix, self)
            try:
                result = original(self, context)
            except BaseException as error:
                if traced:
                    leave_segment(-1, True)
                drop_own_frame(error)
                raise
            if traced:
                leave_segment(-1, False)
            return result

        return render

    return make


def _enter(prefix: str, named: Any) -> bool:
    try:
        name = named.name
        return enter_segment(SEGMENT_TEMPLATE, prefix + (name if isinstance(name, str) else "<string>"))
    except Exception:
        # A name that is no Unicode, a class without one.
        return False
