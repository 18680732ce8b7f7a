"""The ``xray`` command: ``xray`` or ``python -m xray``."""

from __future__ import annotations

import os
import signal
import sys

#: Exit code of a program that SIGINT ended.
_INTERRUPTED = 130


def main() -> int:
    """Run the command with ``sys.argv``; returns its exit code."""
    # `xray run` starts programs with the agent of this very package.
    os.environ["XRAY_PACKAGE_DIR"] = os.path.dirname(os.path.abspath(__file__))
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Ctrl-C ends a session in good order, with exit code 0: the command has its own handler meanwhile, and
            # Python's would still raise KeyboardInterrupt after it.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from xray import _xray

        code = _xray.main(["xray", *sys.argv[1:]])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe went away. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
