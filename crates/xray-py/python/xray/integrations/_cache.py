"""How a look into a cache came out."""

from __future__ import annotations


def found(hit: bool) -> tuple[int, str]:
    """One key."""
    return int(hit), "hit" if hit else "miss"


def found_all(hits: int, keys: int) -> tuple[int, str]:
    """Several keys; none at all is a hit of all of them."""
    return hits, "hit" if hits == keys else "partial hit" if hits else "miss"
