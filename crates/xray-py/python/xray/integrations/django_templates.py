"""Template segments: ``Render/blog/tag_detail.html`` and ``Block/content``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xray._xray import SEGMENT_TEMPLATE, enter_segment
from xray.integrations._django_version import require_django
from xray.integrations._segments import trace_calls


def trace_templates() -> None:
    """Wrap ``Template.render``: pages, and templates that they include."""
    from django.template.base import Template

    require_django()
    trace_calls(Template, "render", _enter("Render/"))


def trace_blocks() -> None:
    """Wrap ``BlockNode.render``."""
    from django.template.loader_tags import BlockNode

    require_django()
    trace_calls(BlockNode, "render", _enter("Block/"))


def _enter(prefix: str) -> Callable[..., bool]:
    def enter(named: Any, context: Any) -> bool:
        name = named.name
        return enter_segment(SEGMENT_TEMPLATE, prefix + (name if isinstance(name, str) else "<string>"))

    return enter
