"""Celery: each execution of a task is a background transaction with the task's name.

A message gets a header with the time at which it was sent, so that the worker knows how long the task was in the queue.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any

import celery
from celery.exceptions import Ignore, Reject, Retry

from xray import _application, _xray
from xray._log import warn_once
from xray._traceback import drop_own_frame, error_name
from xray._xray import BACKGROUND, Transaction, begin, recording
from xray.integrations._base import fail, wrap
from xray.integrations._inside import Known
from xray.integrations._versions import require_version

#: Header of a message: seconds since 1970.
_SENT_AT = "xray_sent_at"


def require_celery() -> None:
    """Step aside for versions that it was not tested with.

    :raises Unsupported: the version is not one of them.
    """
    require_version("Celery", celery.__version__, (5, 3), (5, 7))


def begin_in_tasks() -> None:
    """Begin transactions in the function that executes a task, whatever the pool and in eager mode."""
    from celery import signals
    from celery.app import trace

    require_celery()
    wrap(trace, "build_tracer", _build_tracer)
    # It was imported before xray was installed, with the function as it was.
    consumer = sys.modules.get("celery.worker.consumer.consumer")
    if consumer is not None:
        vars(consumer)["build_tracer"] = trace.build_tracer
    # Processes of the prefork pool end without `atexit`.
    signals.worker_process_shutdown.connect(_process_ends, weak=False)
    _application.register(_Celery())
    _application.register_tasks(_task_names)


def note_sending() -> None:
    """Put the time into messages."""
    from celery.app.amqp import AMQP

    require_celery()
    wrap(AMQP, "as_task_v2", _as_task_v2)


class _Celery:
    """Celery, for the agent."""

    def version(self) -> str:
        return f"Celery {celery.__version__}"

    def routes(self) -> list[_application.Route]:
        return []

    def resolve_path(self, path: str) -> str | None:
        return None


#: Applications whose tasks were executed here.
_applications = Known()


def _task_names() -> list[str]:
    """The tasks of this process's applications, but for those that Celery has for itself."""
    return [name for app in _applications.alive() for name in app.tasks if not name.startswith("celery.")]


def _build_tracer(original: Callable[..., Any]) -> Callable[..., Any]:
    def build_tracer(name: str, task: Any, *args: Any, **kwargs: Any) -> Any:
        _note_application(task)
        return _traced(original(name, task, *args, **kwargs), name)

    return build_tracer


def _note_application(task: Any) -> None:
    try:
        _applications.add(task.app)
    except Exception:
        warn_once("xray cannot tell whose task a Celery task is", exc_info=True)


def _traced(execute: Callable[..., Any], name: str) -> Callable[..., Any]:
    import functools

    @functools.wraps(execute)
    def trace_task(uuid: Any, args: Any, kwargs: Any, request: Any = None) -> Any:
        transaction = begin(BACKGROUND)
        if transaction is None:
            return execute(uuid, args, kwargs, request)
        _describe(transaction, uuid, request)
        transaction.set_name(name)
        try:
            outcome = execute(uuid, args, kwargs, request)
            _note_outcome(transaction, outcome)
            return outcome
        except BaseException as error:
            # With eager mode's `propagate`.
            if not isinstance(error, Retry | Ignore | Reject):
                fail(transaction, error)
            drop_own_frame(error)
            raise
        finally:
            transaction.end()

    return trace_task


def _describe(transaction: Transaction, uuid: Any, request: Any) -> None:
    """Attributes of a trace. Nothing of a task's arguments."""
    if not recording():
        return
    try:
        transaction.set_attribute("task_id", str(uuid))
        if request:
            transaction.set_attribute("retries", str(request.get("retries") or 0))
            if request.get("is_eager"):
                transaction.set_attribute("eager", "true")
            seconds = _seconds_in_queue(request)
            if seconds is not None:
                transaction.set_attribute("queue_ms", f"{seconds * 1000:.1f}")
    except Exception:
        warn_once("xray cannot describe a Celery task", exc_info=True)


def _seconds_in_queue(request: Any) -> float | None:
    """Since it was sent, or since it could run at the earliest. The clocks of two hosts may disagree: never below 0."""
    sent_at = request.get(_SENT_AT)
    if not isinstance(sent_at, int | float):
        return None
    eta = request.get("eta")
    if isinstance(eta, str):
        earliest = datetime.fromisoformat(eta)
        sent_at = max(sent_at, (earliest if earliest.tzinfo else earliest.replace(tzinfo=UTC)).timestamp())
    return max(0.0, time() - sent_at)


def _note_outcome(transaction: Transaction, outcome: Any) -> None:
    try:
        # What `trace_task` returns; `info` is None after success.
        info = outcome.info
        if info is None:
            return
        transaction.set_attribute("state", str(info.state))
        if info.state == "FAILURE":
            transaction.set_error(error_name(type(info.retval)))
    except Exception:
        warn_once("xray cannot tell how a Celery task ended", exc_info=True)


def _as_task_v2(original: Callable[..., Any]) -> Callable[..., Any]:
    def as_task_v2(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            message = original(self, *args, **kwargs)
        except BaseException as error:
            drop_own_frame(error)
            raise
        try:
            message.headers[_SENT_AT] = time()
        except Exception:
            warn_once("xray cannot put the time into Celery's messages", exc_info=True)
        return message

    return as_task_v2


def _process_ends(**_: Any) -> None:
    _xray.shutdown()
