"""Middlewares that decide things before a view could."""

from django.http import HttpResponse


def choose_urlconf(get_response):
    """Another URLconf for ``/elsewhere/...``: what a middleware for subdomains does."""

    def middleware(request):
        if request.path_info.startswith("/elsewhere/"):
            request.urlconf = "testsite.urls_elsewhere"
        return get_response(request)

    return middleware


def answer(get_response):
    """Answers by itself, as a cache or a server of static files does."""

    def middleware(request):
        if "answered" in request.GET or request.path_info.startswith("/static/"):
            return HttpResponse("answered")
        return get_response(request)

    return middleware
