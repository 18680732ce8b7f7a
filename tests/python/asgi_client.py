"""An ASGI server for one request or one websocket, that looks at everything."""

import asyncio


class Answer:
    """What came back."""

    def __init__(self):
        self.messages = []

    @property
    def status(self):
        return next((m["status"] for m in self.messages if m["type"] == "http.response.start"), None)

    @property
    def headers(self):
        return next((m["headers"] for m in self.messages if m["type"] == "http.response.start"), None)

    @property
    def body(self):
        return b"".join(m.get("body", b"") for m in self.messages if m["type"] == "http.response.body")


def http(path="/", method="GET", *, query="", root_path="", headers=()):
    """The scope of a request as a server makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": root_path,
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def websocket(path="/"):
    """The scope of a websocket."""
    scope = {**http(path), "type": "websocket", "scheme": "ws", "subprotocols": []}
    del scope["method"]
    return scope


async def ask(app, scope, received=None, sent=None):
    """The answer of ``app``; ``sent`` is called with each message before the server takes it.

    The client stays, unless ``received`` says what it sends: then it goes away afterwards.
    """
    answer = Answer()
    waiting = [{"type": "http.request", "body": b"", "more_body": False}] if received is None else list(received)

    async def receive():
        if waiting:
            return waiting.pop(0)
        await (asyncio.Event().wait() if received is None else asyncio.sleep(0))
        return {"type": "http.disconnect" if scope["type"] == "http" else "websocket.disconnect", "code": 1005}

    async def send(message):
        await asyncio.sleep(0)
        if sent is not None:
            sent(message)
        answer.messages.append(message)

    await app(scope, receive, send)
    return answer


def call(app, path="/", method="GET", *, scope=None, received=None, **more):
    """One request in an event loop of its own."""
    return asyncio.run(ask(app, scope or http(path, method, **more), received))
