"""Put the agent into this process. Nothing here raises into the application."""

from __future__ import annotations

import atexit
import os

from xray import _application, _import_hook, _xray
from xray._log import warn_once
from xray.integrations import ENTRY_POINTS, INSIDE

#: Below this directory all code is xray's own: the tracer does not show it. Spelled as in the names of the code's
#: files, and with the separator, for a package beside it may begin with the same letters.
PACKAGE_DIRECTORY = os.path.dirname(__file__) + os.sep

# Emptied by the first one that prepares the process: `pop` is atomic, and no lock can be left held over a fork.
_unprepared = [True]


def install(app: str | None = None) -> None:
    """Put the agent into this process: it starts with the first transaction.

    Libraries that are imported are instrumented now, the others when they are imported. May be called any number of
    times, does nothing while ``XRAY_DISABLE=1`` is set, and never raises.

    :param app: name of the application: all processes with one name are one application. ``$XRAY_APP`` goes before
        it; by default it is made of the program and its working directory.
    """
    try:
        if prepare(app):
            _import_hook.watch(ENTRY_POINTS)
    except Exception:
        warn_once("xray could not be installed; the application runs without it", exc_info=True)


def prepare(app: str | None = None) -> bool:
    """Do all that :func:`install` does but for the places where a web request begins.

    Returns False when the agent is off.
    """
    if disabled():
        return False
    try:
        _unprepared.pop()
    except IndexError:
        if app is not None:
            _configure(app)
        return True
    _configure(app)
    os.register_at_fork(after_in_child=_xray.after_fork_in_child)
    atexit.register(_xray.shutdown)
    _import_hook.watch(INSIDE)
    return True


def disabled() -> bool:
    """Whether ``XRAY_DISABLE`` turns the agent off."""
    return os.environ.get("XRAY_DISABLE", "") not in ("", "0")


def _configure(app: str | None) -> None:
    _xray.configure(
        _application.application_name(app),
        _application.routes,
        _application.tasks,
        _application.resolve_path,
        _application.framework,
        PACKAGE_DIRECTORY,
    )
