"""Fault 3, a hot Python function: the edit distance of titles, letter by letter."""

from itertools import combinations

from blog.models import Post, Tag


def edit_distance(left: str, right: str) -> int:
    """How many letters differ, by Levenshtein."""
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        current = [row]
        for column, b in enumerate(right, 1):
            change = previous[column - 1] + (a != b)
            insert = current[column - 1] + 1
            delete = previous[column] + 1
            best = change if change < insert else insert
            current.append(best if best < delete else delete)
        previous = current
    return previous[-1]


def similar_titles(tag: Tag, candidates: int = 24, limit: int = 5) -> list[str]:
    """The pairs of posts about ``tag`` whose titles are nearest to each other."""
    titles = Post.objects.filter(tags=tag).values_list("title", flat=True)[:candidates]
    pairs = sorted((edit_distance(a, b), a, b) for a, b in combinations(titles, 2))
    return [f"{a} / {b}" for _, a, b in pairs[:limit]]
