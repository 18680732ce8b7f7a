"""The pages of the blog."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncMonth
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseServerError
from django.shortcuts import get_object_or_404, render
from django.template import loader
from django.views.decorators.http import require_safe
from django.views.generic import DetailView

from blog import faults
from blog.models import Author, Comment, Post, Tag

POSTS_PER_PAGE = 10


def paginate(request: HttpRequest, posts: "QuerySet[Post]") -> "Page[Post]":
    """The page of ``posts`` that the query string asks for; a wrong number gives the nearest one."""
    return Paginator(posts, POSTS_PER_PAGE).get_page(request.GET.get("page"))


@require_safe
def post_list(request: HttpRequest) -> HttpResponse:
    """All posts, newest first."""
    page = paginate(request, Post.objects.for_listing())
    return render(request, "blog/post_list.html", {"page": page})


@require_safe
def post_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One post with its comments."""
    post = get_object_or_404(Post.objects.for_listing(), slug=slug)
    comments = Comment.objects.filter(post=post).select_related("author")
    return render(request, "blog/post_detail.html", {"post": post, "comments": comments})


@require_safe
def tag_list(request: HttpRequest) -> HttpResponse:
    """All tags with the number of their posts."""
    tags = Tag.objects.annotate(post_count=Count("posts")).order_by("name")
    return render(request, "blog/tag_list.html", {"tags": tags})


@require_safe
def tag_detail(request: HttpRequest, tag: str) -> HttpResponse:
    """The posts of one tag, who talks about them, and what else they are about."""
    tag_object = get_object_or_404(Tag, slug=tag)
    page = paginate(request, Post.objects.filter(tags=tag_object).for_listing())
    posts = list(page.object_list)
    context = {
        "tag": tag_object,
        "page": page,
        "posts": posts,
        "talk": recent_comments(posts),
        "neighbours": neighbouring_tags(tag_object, posts),
    }
    context |= faults.on_tag_page(tag_object)
    return render(request, "blog/tag_detail.html", context)


def recent_comments(posts: list[Post], limit: int = 8) -> "QuerySet[Comment]":
    """The last comments on ``posts``, with what their lines show, in one statement."""
    comments = Comment.objects.filter(post__in=posts).select_related("author", "post")
    return comments.order_by("-written_at", "-pk")[:limit]


def neighbouring_tags(tag: Tag, posts: list[Post]) -> list[Tag]:
    """Tags that appear beside ``tag`` on ``posts``, the most frequent first."""
    shared = Tag.objects.filter(posts__in=posts).exclude(pk=tag.pk).annotate(shared=Count("posts"))
    return list(shared.order_by("-shared", "name")[:12])


@require_safe
def archive(request: HttpRequest) -> HttpResponse:
    """Months with the number of their posts."""
    months = Post.objects.annotate(month=TruncMonth("published_at")).values("month").order_by("-month")
    return render(request, "blog/archive.html", {"months": months.annotate(post_count=Count("pk"))})


@require_safe
def archive_month(request: HttpRequest, year: int, month: int) -> HttpResponse:
    """The posts of one month."""
    posts = Post.objects.for_listing().filter(published_at__year=year, published_at__month=month)
    return render(request, "blog/archive_month.html", {"page": paginate(request, posts), "year": year, "month": month})


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Posts whose title or summary has the words asked for."""
    words = request.GET.get("q", "").split()
    posts = Post.objects.for_listing()
    for word in words:
        posts = posts.filter(Q(title__icontains=word) | Q(summary__icontains=word))
    page = paginate(request, posts if words else posts.none())
    return render(request, "blog/search.html", {"page": page, "query": " ".join(words)})


class AuthorDetail(DetailView):  # type: ignore[type-arg]
    """One author with the posts of theirs that people talk about most."""

    model = Author
    template_name = "blog/author_detail.html"
    context_object_name = "author"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        posts = self.object.posts.for_listing().with_comment_count().order_by("-comment_count", "-pk")
        return super().get_context_data(posts=posts[:POSTS_PER_PAGE], **kwargs)


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """For load balancers: 200 when the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


class ReportNotReady(Exception):
    """The yearly report is asked for before it exists."""


@require_safe
def broken(request: HttpRequest) -> HttpResponse:
    """A page with a mistake in it: it always fails, so that errors can be seen in a session."""
    newest = Post.objects.select_related("author").first()
    raise ReportNotReady(f"no report for {newest.published_at.year if newest else 'any year'}")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for unknown addresses."""
    return HttpResponseNotFound(loader.render_to_string("blog/404.html", {}, request))


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for failures."""
    return HttpResponseServerError(loader.render_to_string("blog/500.html", {}, request))
