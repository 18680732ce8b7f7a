"""Fault 1, an N+1: the author of each comment is fetched by a statement of its own."""

from blog.models import Comment, Tag


def last_words(tag: Tag, limit: int = 120) -> list[str]:
    """Who said the last things about ``tag``."""
    # `.select_related("author")` is missing.
    comments = Comment.objects.filter(post__tags=tag).order_by("-written_at", "-pk")[:limit]
    names = [comment.author.name for comment in comments]
    return list(dict.fromkeys(names))[:12]
