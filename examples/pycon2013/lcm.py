"""The least common multiple, as slowly as possible, under an X-Ray session.

From a talk at PyCon 2013: the loop tries every number from the larger one on, and asks ``max`` and ``min`` anew each
time. Run it with ``python lcm.py``; needs ``xray`` and nothing else.
"""

import tempfile
from pathlib import Path

import xray


def smaller(a: int, b: int) -> int:
    """The smaller of two numbers."""
    return min(a, b)


def larger(a: int, b: int) -> int:
    """The larger of two numbers."""
    return max(a, b)


def lcm(a: int, b: int) -> int:
    """The least common multiple of ``a`` and ``b``."""
    candidate = larger(a, b)
    while candidate % larger(a, b) != 0 or candidate % smaller(a, b) != 0:
        candidate += 1
    return candidate


@xray.transaction("lcm")
def work() -> int:
    """One transaction: a fruitless search among some thousand candidates."""
    return lcm(173, 61)


def main() -> None:
    """Trace fifty transactions and print the report."""
    path = Path(tempfile.mkdtemp()) / "lcm.xr"
    # Nothing else runs here: trace every transaction, whatever it costs.
    every = {"share": 1.0, "max_overhead": 1.0}
    with xray.start_session(transaction="lcm", seconds=60, stop_after=50, path=path, **every) as session:
        for _ in range(50):
            work()
    print(session.wait().text())
    print(f"the file: {path}")


if __name__ == "__main__":
    main()
