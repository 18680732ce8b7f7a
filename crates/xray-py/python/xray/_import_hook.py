"""Apply an integration when the module that it changes is imported, or at once if it is.

A finder at the front of ``sys.meta_path`` lets the others find the module and hooks its execution. It leaves
specifications and loaders as they are, hides its own frames from tracebacks, and goes away when nothing is left to
wait for.
"""

from __future__ import annotations

import importlib
import sys

from xray._log import warn_once
from xray._traceback import drop_own_frame

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Unsupported(Exception):
    """An integration steps aside; the message says why, for the log."""


def watch(targets: Mapping[str, str]) -> None:
    """Call each target once its module is imported.

    ``targets`` maps names of modules to ``module:function`` below ``xray.integrations``. A target is called once in a
    process, however often it is watched for.
    """
    for module, target in targets.items():
        if target in _watched:
            continue
        _watched.add(target)
        loaded = sys.modules.get(module)
        if loaded is None:
            _finder.pending[module] = target
        elif _initializing(loaded):
            _finder.loading[module] = target
        else:
            _apply(target)
    if not _finder.done() and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _apply(target: str) -> None:
    module, _, function = target.partition(":")
    try:
        getattr(importlib.import_module(f"xray.integrations.{module}"), function)()
    except Unsupported as reason:
        warn_once(f"xray: {reason}")
    except Exception:
        warn_once(f"xray: the integration {module} failed and is off", exc_info=True)


def _initializing(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


class _Finder:
    """Finds nothing by itself; see the module's description."""

    def __init__(self) -> None:
        #: Module -> target, for modules that are not loaded.
        self.pending: dict[str, str] = {}
        #: The same for modules that were being executed when they were asked for: looked at with the next import.
        self.loading: dict[str, str] = {}

    def done(self) -> bool:
        return not self.pending and not self.loading

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.loading:
            self._apply_loaded()
        if name not in self.pending:
            return None
        try:
            for finder in list(sys.meta_path):
                if finder is self:
                    continue
                find_spec = getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = find_spec(name, path, target) if find_spec is not None else None
                if spec is not None:
                    break
            else:
                return None
        except BaseException as error:
            drop_own_frame(error)
            raise
        try:
            self._hook(name, spec)
        except Exception:
            # A loader that cannot be hooked: the module is loaded as ever, without its integration.
            warn_once(f"xray cannot see {name} being imported; its integration is off")
        return spec

    def _hook(self, name: str, spec: ModuleSpec) -> None:
        loader = spec.loader
        if loader is None or isinstance(loader, type):
            raise TypeError("the loader is shared by all modules")
        exec_module = loader.exec_module

        def hooked(module: ModuleType) -> None:
            # Only this instance has the attribute: without it the loader is as it was.
            loader.__dict__.pop("exec_module", None)
            try:
                exec_module(module)
            except BaseException as error:
                drop_own_frame(error)
                raise
            if module.__name__ == name:
                self._loaded(name)

        loader.exec_module = hooked  # type: ignore[method-assign]

    def _loaded(self, name: str) -> None:
        target = self.pending.pop(name, None)
        if target is not None:
            _apply(target)
        self._leave_if_done()

    def _apply_loaded(self) -> None:
        for name in list(self.loading):
            module = sys.modules.get(name)
            if module is None or not _initializing(module):
                target = self.loading.pop(name, None)
                if module is not None and target is not None:
                    _apply(target)
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        if self.done():
            # A new list: removing from the one that another thread iterates would make it skip a finder.
            sys.meta_path = [finder for finder in sys.meta_path if finder is not self]


_finder = _Finder()
_watched: set[str] = set()
