"""Filters and tags of the blog's templates."""

from django import template

from blog.models import Tag

register = template.Library()

WORDS_PER_MINUTE = 220


@register.filter
def reading_time(text: str) -> str:
    """``3 min``: how long ``text`` takes to read."""
    return f"{max(1, round(len(text.split()) / WORDS_PER_MINUTE))} min"


@register.filter
def initials(name: str) -> str:
    """``Ada Lovelace`` gives ``AL``."""
    return "".join(part[0] for part in name.split()[:2]).upper()


@register.inclusion_tag("blog/_tag_links.html")
def tag_links(tags: list[Tag]) -> dict[str, object]:
    """The tags as links."""
    return {"tags": tags}
