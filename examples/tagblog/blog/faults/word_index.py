"""Fault 4, a slow C call: one ``sorted`` over the words of the newest posts, on each request."""

from functools import lru_cache

from blog.models import Post


@lru_cache(maxsize=1)
def all_words(posts: int = 700) -> list[str]:
    """Every word of the newest posts, in the order of the texts; read once."""
    return [word for body in Post.objects.values_list("body", flat=True)[:posts] for word in body.split()]


def first_words(limit: int = 12) -> list[str]:
    """The beginning of the alphabetical index."""
    index = sorted(all_words(), key=str.casefold)
    return list(dict.fromkeys(index[: limit * 50]))[:limit]
