"""Template segments of Jinja2: ``Render/blog/tag_detail.html`` and ``Block/content``.

Jinja2 compiles a template to Python functions, one for the file and one for each block. The tracer sees these as it
sees all others, with every step that they are rendered in; here they only get their names. So nothing is wrapped, and a
template that is rendered bit by bit stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from xray._import_hook import Unsupported
from xray._log import warn_once
from xray._traceback import drop_own_frame
from xray._xray import SEGMENT_TEMPLATE, label_code
from xray.integrations._versions import require_version


def trace_templates() -> None:
    """Name the functions of each template that is made from now on."""
    import functools

    import jinja2
    from jinja2.environment import Template

    require_version("Jinja2", jinja2.__version__, (3, 0), (3, 1))
    made_by = vars(Template).get("_from_namespace")
    if not isinstance(made_by, classmethod):
        raise Unsupported("jinja2.Template has no _from_namespace: its integration is off")
    original = made_by.__func__
    Template._from_namespace = classmethod(functools.update_wrapper(_from_namespace(original), original))


def _from_namespace(original: Callable[..., Any]) -> Callable[..., Any]:
    def _from_namespace(cls: Any, environment: Any, namespace: Any, globals: Any) -> Any:
        try:
            template = original(cls, environment, namespace, globals)
        except BaseException as error:
            drop_own_frame(error)
            raise
        try:
            _label(template)
        except Exception:
            warn_once("xray cannot name the functions of a Jinja2 template", exc_info=True)
        return template

    return _from_namespace


def _label(template: Any) -> None:
    name = template.name if isinstance(template.name, str) else "<string>"
    _label_function(template.root_render_func, f"Render/{name}")
    for block, function in template.blocks.items():
        _label_function(function, f"Block/{block}")


def _label_function(function: Any, name: str) -> None:
    if isinstance(function, FunctionType):
        label_code(function.__code__, SEGMENT_TEMPLATE, name)
