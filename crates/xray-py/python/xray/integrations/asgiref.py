"""asgiref carries contexts over to other threads value by value: nobody else tells that the transaction is there now.

So run async views of Flask, and what Django runs by ``async_to_sync``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asgiref

from xray._xray import context_changed, context_wanted, recording, wrap_announced
from xray.integrations._base import wrap
from xray.integrations._versions import require_version


def follow_contexts() -> None:
    """Look the transaction up where asgiref has set a context's variables, and have it there when it copies one."""
    from asgiref import sync

    require_version("asgiref", asgiref.__version__, (3, 6), (3, 13))
    wrap(sync, "_restore_context", _restore_context)
    sync.AsyncToSync.__call__ = wrap_announced(sync.AsyncToSync.__call__, _leave_thread)


def _leave_thread(*args: Any, **kwargs: Any) -> None:
    context_wanted()


def _restore_context(original: Callable[..., Any]) -> Callable[..., Any]:
    def _restore_context(context: Any) -> None:
        original(context)
        if recording():
            context_changed()

    return _restore_context
