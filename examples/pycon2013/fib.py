"""Fibonacci's numbers by recursion, under an X-Ray session: direct recursion folds into one node with its depth.

Run it with ``python fib.py``; needs ``xray`` and nothing else.
"""

import tempfile
from pathlib import Path

import xray


def fib(n: int) -> int:
    """The ``n``-th number, by the definition."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def main() -> None:
    """Trace twenty transactions and print the report."""
    path = Path(tempfile.mkdtemp()) / "fib.xr"
    # Nothing else runs here: trace every transaction, whatever it costs.
    every = {"share": 1.0, "max_overhead": 1.0}
    with xray.start_session(transaction="fib", seconds=60, stop_after=20, path=path, **every) as session:
        for _ in range(20):
            with xray.transaction("fib"):
                fib(18)
    print(session.wait().text())
    print(f"the file: {path}")


if __name__ == "__main__":
    main()
