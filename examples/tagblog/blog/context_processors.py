"""What every page shows."""

from django.http import HttpRequest

SECTIONS = (("post-list", "Posts"), ("tag-list", "Tags"), ("archive", "Archive"), ("search", "Search"))


def navigation(request: HttpRequest) -> dict[str, object]:
    """The sections of the site, the current one marked."""
    match = request.resolver_match
    current = match.url_name if match else None
    return {"sections": [{"route": route, "title": title, "here": route == current} for route, title in SECTIONS]}
