"""How often each page was visited, counted in the cache."""

from collections.abc import Callable

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse


def count_visits(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware that says in each answer how many came before."""

    def count(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        key = f"visits:{request.path}"
        before = cache.get(key, 0)
        cache.set(key, before + 1, timeout=None)
        response["X-Visits-Before"] = str(before)
        return response

    return count
