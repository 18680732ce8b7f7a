"""Stands in for the native functions where a test asks what the integrations call, and with what."""

from contextvars import ContextVar

from xray import _xray


class Transaction:
    """Notes what is done with it."""

    #: Names by their numbers; the path is that of the request which had the name first.
    numbered = []

    def __init__(self, kind, outer, *, alone=False):
        self.kind = kind
        self.outer = outer
        self.answering = False
        self.is_request = False
        self.alone = alone
        self.mounts = ("", "")
        self.ended = False
        self.abandoned = False
        self.named = False
        self.names = []
        self.status = None
        self.error = None
        self.attributes = {}

    def set_route(self, method, route, handler, url_name, path):
        self.named = True
        method = None if method is None else _xray.method_name(method)
        before, namespace = self.mounts
        if before and route is not None:
            route = f"{before}/{route.lstrip('/')}"
        if namespace and url_name is not None:
            url_name = namespace + url_name
        self.names.append((method, route, handler, url_name, path))
        self.numbered.append(self.names[-1])
        return len(self.numbered) - 1

    def set_known(self, name):
        # What a number stands for is the agent's to know; so each request is named in full.
        return False

    @property
    def mounted(self):
        return bool(self.mounts[0])

    def mount(self, path, name):
        self.mounts = self.mounts[0] + path.rstrip("/"), self.mounts[1] + (f"{name}:" if name else "")

    def returned(self):
        self.answering = False

    def set_name(self, name, by_application=False):
        self.named = True
        self.names.append(name)

    def set_status(self, status):
        self.status = status

    def set_error(self, error):
        self.error = error

    def set_attribute(self, key, value):
        self.attributes[key] = value

    def end(self):
        self.ended = True

    def abandon(self):
        self.ended = self.abandoned = True


class Answer:
    """The call that answers a request. What is noted where is asked of the native one, in ``test_web_answer.py``."""

    def __init__(self, app, transaction, scope, send, name_last):
        self.transaction = transaction
        self._name_last = lambda: name_last(app, transaction, scope)
        self._send = send

    def send(self, message):
        if message["type"] == "http.response.start":
            self.transaction.set_status(message["status"])
        if message["type"] == "http.response.body" and not message.get("more_body"):
            return self._send_last(message)
        return self._send(message)

    async def _send_last(self, message):
        await self._send(message)
        self.end()

    def end(self):
        if not self.transaction.ended:
            if not self.transaction.named:
                self._name_last()
            self.transaction.end()

    def end_with(self, error):
        if not self.transaction.ended:
            self.transaction.set_error(f"{type(error).__module__}.{type(error).__qualname__}")
        self.end()


class Recorder:
    """Everything that integrations told."""

    def __init__(self):
        self.transactions = []
        self.segments = []
        self.open_segments = 0
        self.is_recording = False
        self.is_tracing = False
        self.is_off = False
        self._current = ContextVar("current", default=None)

    def begin(self, kind, alone=False):
        if self.is_off:
            return None
        transaction = Transaction(kind, self.current(), alone=alone)
        self.transactions.append(transaction)
        self._current.set(transaction)
        return transaction

    def begin_request(self, of=None):
        if self.current_request() is not None:
            return None
        while (left := self.current()) is not None and left.is_request:
            left.abandon()
        transaction = self.begin(_xray.WEB)
        if transaction is not None:
            transaction.answering = transaction.is_request = True
            transaction.of = of
        return transaction

    def begin_answer(self, app, scope, send, name_early, name_last):
        if scope["type"] not in ("http", "websocket"):
            return None
        transaction = self.begin_request(scope.get("asgi"))
        if transaction is not None and self.is_recording:
            name_early(app, transaction, scope)
        return transaction and Answer(app, transaction, scope, send, name_last)

    def current_request(self):
        transaction = self._current.get()
        while transaction is not None and not (transaction.answering and not transaction.ended):
            transaction = None if transaction.alone else transaction.outer
        return transaction

    def answering_request(self, of):
        transaction = self.current_request()
        return transaction if transaction is not None and transaction.of is of else None

    def current(self):
        transaction = self._current.get()
        while transaction is not None and transaction.ended:
            transaction = transaction.outer
        return transaction

    def recording(self):
        return self.is_recording

    def tracing(self):
        return self.is_tracing

    def enter_segment(self, kind, name, detail=None):
        self.open_segments += 1
        self.segments.append(name)
        return True

    def enter_sql(self, statement, vendor):
        return self.enter_segment(None, f"{vendor}: {statement}")

    def leave_segment(self, rows, failed):
        assert self.open_segments > 0
        self.open_segments -= 1
        self.segments.append((rows, failed))

    @property
    def only(self):
        (transaction,) = self.transactions
        return transaction

    FUNCTIONS = (
        "answering_request", "begin", "begin_answer", "begin_request", "current_request", "current", "recording",
        "tracing", "enter_segment", "enter_sql", "leave_segment",
    )  # fmt: skip
