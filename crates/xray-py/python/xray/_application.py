"""What the agent tells about the application: its name, its framework, the routes and the tasks that it serves."""

from __future__ import annotations

import os
import sys

from xray._log import warn_once

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    #: A route of the application's router: (methods or None, template, handler or None, url name or None).
    Route = tuple[Sequence[str] | None, str, str | None, str | None]

    class Framework(Protocol):
        """A web framework in use. Its methods are called by an agent thread, never inside a request."""

        def version(self) -> str:
            """``Django 5.2.19``."""

        def routes(self) -> Sequence[Route]:
            """All routes of its router."""

        def resolve_path(self, path: str) -> str | None:
            """The template of a concrete path, None when no route matches."""


_frameworks: list[Framework] = []


def register(framework: Framework) -> None:
    """Make ``framework`` known to the agent."""
    _frameworks.append(framework)


#: Each lists names of background tasks, called as a framework's methods are.
_task_lists: list[Callable[[], Sequence[str]]] = []


def register_tasks(names: Callable[[], Sequence[str]]) -> None:
    """Make known to the agent who lists the background tasks that this process can be sent."""
    _task_lists.append(names)


def routes() -> list[Route]:
    """The routes of all frameworks."""
    found: list[Route] = []
    for framework in _frameworks:
        try:
            found.extend(framework.routes())
        except Exception:
            warn_once("xray cannot list the application's routes; names become known as requests come", exc_info=True)
    return found


def tasks() -> list[str]:
    """Names of all background tasks, also of those that never ran."""
    found: list[str] = []
    for names in _task_lists:
        try:
            found.extend(names())
        except Exception:
            warn_once("xray cannot list the application's tasks; names become known as they run", exc_info=True)
    return found


def resolve_path(path: str) -> str | None:
    """The route template that serves a concrete path, None when none does."""
    for framework in _frameworks:
        try:
            template = framework.resolve_path(path)
        except Exception:
            # A converter of the application failed on this path: it has no route.
            continue
        if template is not None:
            return template
    return None


def framework() -> str | None:
    """Names and versions of the frameworks in use."""
    versions = []
    for framework in _frameworks:
        try:
            versions.append(framework.version())
        except Exception:
            continue
    return ", ".join(versions) or None


def application_name(given: str | None) -> str:
    """``$XRAY_APP``, else the name given in the code, else the program and its working directory."""
    from_environment = os.environ.get("XRAY_APP")
    if from_environment:
        return from_environment
    if given:
        return str(given)
    try:
        directory = os.getcwd()
    except OSError:
        directory = "?"
    return f"{_program()} {directory}"


def _program() -> str:
    """The script's name, or that of the module after ``-m``."""
    argv0 = sys.argv[0] if getattr(sys, "argv", None) else ""
    if argv0 == "-m":
        # Before the module is found, as in sitecustomize.
        after = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
        return after[0] if after else "python"
    if argv0 in ("", "-c"):
        return "python"
    directory, name = os.path.split(argv0)
    if name == "__main__.py":
        name = os.path.basename(directory)
    return name.removesuffix(".py") or "python"
