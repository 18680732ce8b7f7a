"""Mistakes that can be planted in the tag page, to see whether a report finds them.

``XRAY_DEMO_FAULT`` chooses one when the process starts:

0. nothing (the default)
1. an N+1: :mod:`blog.faults.last_words` asks the database once per comment
2. a slow query: :mod:`blog.faults.mentions` searches all texts without an index
3. a hot Python function: :mod:`blog.faults.similar_titles` compares titles letter by letter
4. a slow C call: :mod:`blog.faults.word_index` sorts all words of the blog
5. a GIL hog: :mod:`blog.faults.trending` computes in a background thread of each worker
"""

import os
from typing import Any

from blog.models import Tag

GIL_HOG = 5


def planted() -> int:
    """The number in ``XRAY_DEMO_FAULT``; 0 when it is not set.

    :raises ValueError: it is not one of 0 to 5.
    """
    text = os.environ.get("XRAY_DEMO_FAULT", "0") or "0"
    if text not in {"0", "1", "2", "3", "4", "5"}:
        raise ValueError(f"XRAY_DEMO_FAULT is {text!r}: set it to a number from 0 to 5")
    return int(text)


def connect() -> None:
    """Start what lives outside the views; called once, when Django is ready."""
    if planted() == GIL_HOG:
        from blog.faults import trending

        trending.connect()


def on_tag_page(tag: Tag) -> dict[str, Any]:
    """What the planted fault adds to the tag page."""
    match planted():
        case 1:
            from blog.faults import last_words

            return {"extra": {"title": "Last words", "lines": last_words.last_words(tag)}}
        case 2:
            from blog.faults import mentions

            return {"extra": {"title": "Mentions", "lines": mentions.mentioned_beside(tag)}}
        case 3:
            from blog.faults import similar_titles

            return {"extra": {"title": "Similar posts", "lines": similar_titles.similar_titles(tag)}}
        case 4:
            from blog.faults import word_index

            return {"extra": {"title": "Index", "lines": word_index.first_words()}}
    return {}
