"""Puts the agent into a Python program that ``xray run`` starts.

``xray run`` puts this directory in front of ``PYTHONPATH``; Python imports ``sitecustomize`` before the program.
The variable stays as it is, so that children of the program (workers, reloaders) have the agent too, but ``sys.path``
is what it would be without xray, and the ``sitecustomize`` that this one hides is run.
"""

import os
import sys


def _install() -> None:
    try:
        import xray
    except ImportError:
        # A Python without xray. Only the program that `xray run` became is worth a word: its user waits for it, while
        # what its children write to stderr may be read by a program.
        if os.environ.get("XRAY_RUN_PID") == str(os.getpid()):
            print(
                f"xray: {sys.executable} has no xray; install xray-session there (pip install xray-session)",
                file=sys.stderr,
            )
        return
    xray.install()


def _leave_sys_path() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]


def _run_hidden() -> None:
    this = sys.modules.pop(__name__, None)
    try:
        # What it raises is for `site` to report, as ever.
        __import__(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
    finally:
        if this is not None:
            # `site` expects a module of this name, also when there is no other.
            sys.modules.setdefault(__name__, this)


try:
    _install()
except Exception as error:
    print(f"xray: not installed in {os.getpid()}: {type(error).__name__}: {error}", file=sys.stderr)
_leave_sys_path()
if __name__ == "sitecustomize":
    _run_hidden()
