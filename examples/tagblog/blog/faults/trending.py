"""Fault 5, a GIL hog: a thread of each worker computes in pure Python and leaves little time to the requests."""

import os
import threading

from django.core.signals import request_started

WORK, PAUSE_SECONDS = 300_000, 0.001

_started: set[int] = set()


def score(ticks: int) -> int:
    """A trend that no one reads: pure Python arithmetic that never lets go of the GIL by itself."""
    value = 1
    for tick in range(ticks):
        value = (value * 1103515245 + tick) % 2147483648
    return value


def keep_scoring(stop: threading.Event) -> None:
    """Score again and again."""
    while not stop.wait(PAUSE_SECONDS):
        score(WORK)


def start_once(**_: object) -> None:
    """Start the thread of this process; a worker does it at its first request, after the fork."""
    if os.getpid() not in _started:
        _started.add(os.getpid())
        threading.Thread(target=keep_scoring, args=(threading.Event(),), name="trending", daemon=True).start()


def connect() -> None:
    """Start with the first request."""
    request_started.connect(start_once, dispatch_uid="blog.faults.trending")
