"""What integrations share: how a function is wrapped, and the rules for it.

A wrapper calls nothing but the native functions of ``xray._xray``, functions of this package and what it wraps: the
tracer hides the package's own frames, so that an application's calls are counted as if xray were not there. For the
same reason it must not use properties or attribute hooks that other code defines.
"""

from __future__ import annotations

from xray._import_hook import Unsupported
from xray._traceback import error_name

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xray._xray import Transaction


def wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace the function ``name`` of a class or module by what ``make`` makes of it; identity attributes stay.

    :raises Unsupported: there is no such function.
    """
    import functools

    original = vars(owner).get(name)
    if not callable(original):
        raise Unsupported(f"{owner.__name__} has no function {name}: its integration is off")
    setattr(owner, name, functools.update_wrapper(make(original), original))


def require(library: str, version: tuple[int, ...], first: tuple[int, ...], last: tuple[int, ...]) -> None:
    """Step aside unless ``first <= version <= last``, compared at the precision of each.

    :raises Unsupported: the version is not known to work.
    """
    if not (first <= version[: len(first)] and version[: len(last)] <= last):
        found = ".".join(map(str, version))
        raise Unsupported(f"{library} {found} is not a version this xray knows: its integration is off")


def fail(transaction: Transaction, error: BaseException) -> None:
    """Note the type of the exception that ended a transaction."""
    transaction.set_error(error_name(type(error)))
