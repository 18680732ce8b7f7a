"""Asks the site everything, and prints all that a client, a log or a debugger could see of the answers, as JSON.

Run with and without the agent, and while it traces, the output must be the same.
"""

import hashlib
import io
import json
import logging
import re
import sys
import traceback

from django.db import connection
from wsgi_client import FileWrapper, call

REQUESTS = [
    ("GET", path)
    for path in (
        "/", "/tags/x/", "/posts/2013/a/", "/old/2013/", "/page/1/", "/decorated-page/", "/set/1/", "/feed/", "/app/",
        "/pages/", "/fails/", "/fails-in-template/", "/fails-in-sql/", "/missing/", "/nope/", "/tags/x", "/stream/",
        "/file/", "/memory-file/", "/elsewhere/x/", "/static/x.css",
    )
]  # fmt: skip
REQUESTS += [
    ("HEAD", "/tags/x/"), ("HEAD", "/file/"), ("POST", "/decorated-page/"), ("POST", "/posts/2013/a/"),
    ("OPTIONS", "/page/1/"), ("DELETE", "/page/1/"), ("INVENTED", "/tags/x/"),
]  # fmt: skip


def without_addresses(text):
    """Text without what differs between two runs of anything."""
    return re.sub(r"0x[0-9a-f]+|tmp\w+", "...", text)


class Tracebacks(logging.Handler):
    """Tracebacks as a log shows them."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        text = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.seen.append(without_addresses(f"{record.levelname} {record.getMessage()}\n{text}"))


def ask(site):
    """Answers to all requests."""
    log = Tracebacks()
    logger = logging.getLogger("django.request")
    logger.setLevel("DEBUG")
    logger.addHandler(log)
    logger.propagate = False
    for file_wrapper in (None, FileWrapper):
        for method, path in REQUESTS:
            log.seen.clear()
            answer = call(site, path, method, file_wrapper=file_wrapper)
            yield {
                "request": f"{method} {path}",
                "status": answer.status,
                "headers": sorted(answer.headers),
                "body": hashlib.sha256(answer.body).hexdigest(),
                "type": answer.body_type.__name__,
                "log": list(log.seen),
            }
    try:
        call(site, "/stream-fails/")
    except RuntimeError:
        yield without_addresses(traceback.format_exc())


def program(site):
    """What a program sees that is no request."""
    for statement in ("SELECT 1", "SELECT nothing"):
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                yield repr(cursor.fetchall())
        except Exception:
            yield without_addresses(traceback.format_exc())
    from django.template import Context, Template

    for source in ("{{ 1 }}", "{% block a %}{{ call }}{% endblock %}"):
        try:
            yield Template(source).render(Context({"call": lambda: 1 / 0}))
        except Exception:
            yield without_addresses(traceback.format_exc())
    yield sorted(vars(type(site)))
    yield sys.getrecursionlimit(), sys.gettrace() is None, sys.getprofile() is None


def run():
    """Everything, twice: caches must not matter."""
    from testsite.wsgi import application

    out = io.StringIO()
    for _ in range(2):
        for answer in ask(application):
            out.write(json.dumps(answer) + "\n")
        for answer in program(application):
            out.write(json.dumps(answer) + "\n")
    return out.getvalue()
