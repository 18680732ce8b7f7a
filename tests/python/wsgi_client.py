"""A WSGI server for one request, that keeps to PEP 3333 and looks at everything."""

from wsgiref.util import FileWrapper, setup_testing_defaults


class Response:
    """What came back."""

    def __init__(self):
        self.status = None
        self.headers = []
        self.exc_info = None
        self.body_type = None
        self.body = b""


def environ(path="/", method="GET", *, file_wrapper=None, query=""):
    """An environment as a server makes it."""
    made = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(made)
    if file_wrapper is not None:
        made["wsgi.file_wrapper"] = file_wrapper
    return made


def call(app, path="/", method="GET", *, file_wrapper=None, query="", close=True, env=None):
    """One request to ``app``; with ``close=False`` as a server that forgets to close."""
    response = Response()
    pieces = []

    def start_response(status, headers, exc_info=None):
        response.status, response.headers, response.exc_info = status, headers, exc_info
        return pieces.append

    body = app(env or environ(path, method, file_wrapper=file_wrapper, query=query), start_response)
    response.body_type = type(body)
    try:
        pieces.extend(body)
    finally:
        if close and hasattr(body, "close"):
            body.close()
    response.body = b"".join(pieces)
    return response


__all__ = ["FileWrapper", "Response", "call", "environ"]
