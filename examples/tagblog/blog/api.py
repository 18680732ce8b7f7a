"""The JSON API: the same posts for programs."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from blog.models import Post

PAGE_SIZE = 20


def as_json(post: Post) -> dict[str, Any]:
    """What a listing tells about a post."""
    return {
        "id": post.pk,
        "title": post.title,
        "url": post.get_absolute_url(),
        "author": {"id": post.author_id, "name": post.author.name},
        "tags": [tag.slug for tag in post.tags.all()],
        "published_at": post.published_at.isoformat(),
    }


@require_safe
def post_collection(request: HttpRequest) -> JsonResponse:
    """Posts, newest first, by pages."""
    page = Paginator(Post.objects.for_listing(), PAGE_SIZE).get_page(request.GET.get("page"))
    return JsonResponse({"count": page.paginator.count, "page": page.number, "results": [as_json(p) for p in page]})


@require_safe
def post_item(request: HttpRequest, pk: int) -> JsonResponse:
    """One post in full."""
    post = get_object_or_404(Post.objects.for_listing(), pk=pk)
    return JsonResponse(as_json(post) | {"summary": post.summary, "body": post.body})
