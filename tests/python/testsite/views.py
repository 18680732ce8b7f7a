"""Views, plain and wrapped."""

import asyncio
import functools
import io
import tempfile

from django.db import connection
from django.http import FileResponse, Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_safe


def plain(request, **kwargs):
    return HttpResponse(f"plain {sorted(kwargs.items())}")


def carefully(view):
    """A decorator that keeps the view's name."""

    @functools.wraps(view)
    def inner(request, *args, **kwargs):
        return view(request, *args, **kwargs)

    return inner


@require_safe
@carefully
@carefully
def decorated(request, **kwargs):
    return HttpResponse("decorated")


class Page(View):
    def get(self, request, **kwargs):
        return HttpResponse("page")


@method_decorator(carefully, name="dispatch")
class DecoratedPage(View):
    def get(self, request, **kwargs):
        return HttpResponse("decorated page")

    def post(self, request, **kwargs):
        return HttpResponse("posted")


class ViewSet:
    """As Django REST framework's: ``as_view`` gives a function that knows its class and its actions."""

    @classmethod
    def as_view(cls, actions):
        def view(request, *args, **kwargs):
            return getattr(cls(), actions[request.method.lower()])(request, **kwargs)

        view.cls = cls
        view.actions = actions
        return carefully(view)

    def retrieve(self, request, **kwargs):
        return HttpResponse("retrieved")


class Callable:
    """An object that is a view, as a syndication feed is."""

    def __call__(self, request, **kwargs):
        return HttpResponse("called")


def pages(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, 'a secret'", ["word"])
        word = cursor.fetchone()[0]
    return render(request, "page.html", {"word": word, "call": lambda: "called"})


def fails(request):
    raise ValueError("a secret")


def fails_in_template(request):
    def call():
        raise KeyError("a secret")

    return render(request, "page.html", {"word": "", "call": call})


def fails_in_sql(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


def missing(request):
    raise Http404("a secret")


def stream(request):
    def parts():
        for number in range(3):
            yield f"part {number}\n"

    return StreamingHttpResponse(parts())


def stream_fails(request):
    def parts():
        yield "part\n"
        raise RuntimeError("a secret")

    return StreamingHttpResponse(parts())


def file(request):
    content = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
    content.write(b"content of a file\n" * 1000)
    content.seek(0)
    return FileResponse(content, filename="file.txt")


def memory_file(request):
    return FileResponse(io.BytesIO(b"bytes"), content_type="text/plain")


async def asynchronous(request, name):
    await asyncio.sleep(0)
    return HttpResponse(name)


async def asynchronous_stream(request):
    async def parts():
        for number in range(3):
            await asyncio.sleep(0)
            yield f"part {number} "

    return StreamingHttpResponse(parts())


async def asynchronous_fails(request):
    raise LookupError("a secret")
