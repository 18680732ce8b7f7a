"""A WSGI application without a framework."""

import sys
import time


def application(environ, start_response):
    """Answers as its path says."""
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise LookupError("a secret")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/generator":
        return (part.encode() for part in ("one ", "two"))
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/modules":
        return [" ".join(sorted(name for name in sys.modules if name.startswith("xray"))).encode()]
    if path == "/sleep":
        time.sleep(0.05)
    return [b"plain"]
