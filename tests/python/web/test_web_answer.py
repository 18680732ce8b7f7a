"""What is noted of the answer of an ASGI application, by the real agent, and that nothing else changes."""

import asyncio
import contextlib
import gc
import inspect
import warnings

import fastapi  # noqa: F401  # before the agent, as in the other tests of this directory
import pytest
from asgi_client import ask, call, http, websocket
from starletteapp import app as framework
from starletteapp import bare, raw
from tracebacks import own_frames

import xray
from xray._xray import current, current_request


class Recorded:
    """What a session knows of the transactions in it."""

    report = None

    @property
    def only(self):
        (trace,) = self.report.traces
        assert (trace.summary.complete, self.report.requests.matched) == (True, 1)
        return trace.summary


@pytest.fixture
def recorded(tmp_path):
    """Records what runs inside."""
    xray.install()

    @contextlib.contextmanager
    def recorded(target):
        recorded, path = Recorded(), tmp_path / "session.xr"
        path.unlink(missing_ok=True)
        with xray.start_session(target, share=1.0, max_overhead=1.0, minutes=5, path=path) as session:
            yield recorded
        recorded.report = session.wait()

    return recorded


def wrap(app):
    """``xray.asgi``, in a process without frameworks: names come first."""
    wrapped = xray.asgi(app, "answers")
    wrapped._xray_named_inside = False
    return wrapped


def test_status_method_and_path_are_noted_and_nothing_of_the_query(recorded):
    with recorded("answers") as seen:
        assert call(wrap(raw), "/some/path", "POST", query="secret=1").body == b"raw"
    assert (seen.only.status, seen.only.error) == (200, None)
    assert seen.only.attributes == {"method": "POST", "path": "/some/path", "name": "answers"}


@pytest.mark.parametrize("records", [True, False])
def test_a_response_ends_when_its_last_part_was_sent(recorded, records):
    ended = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(3):
            await send({"type": "http.response.body", "body": b"part", "more_body": part < 2})
            ended.append(current() is None)
        ended.append("afterwards")

    with recorded("answers") if records else contextlib.nullcontext():
        asyncio.run(ask(wrap(app), http(), sent=lambda message: ended.append(current() is None)))
    # Before the server took the last part it had not ended, if that is to be known exactly; afterwards it has.
    assert ended == [False, False, False, False, False, not records, True, "afterwards"]


def test_a_response_without_end_ends_with_the_call(recorded):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})

    with recorded("answers") as seen:
        call(wrap(app))
    assert (seen.only.status, seen.only.error) == (204, None)


async def fails(scope, receive, send):
    raise LookupError("a secret")


async def fails_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise LookupError("a secret")


@pytest.mark.parametrize("app", [fails, fails_late])
def test_an_exception_passes_with_its_own_traceback(recorded, app):
    with recorded("answers") as seen, pytest.raises(LookupError) as raised:
        call(wrap(app))
    assert raised.traceback[-1].name == app.__name__
    assert own_frames(raised.value) == []
    assert seen.only.error == "builtins.LookupError"


@pytest.mark.parametrize("app", [framework, bare])
def test_an_exception_of_an_endpoint_is_noted_and_passes(recorded, app):
    with recorded("/fails") as seen, pytest.raises(LookupError) as raised:
        call(app, "/fails")
    assert raised.traceback[-1].name == "fails"
    assert own_frames(raised.value) == []
    assert (seen.only.status, seen.only.error) == (500, "builtins.LookupError")


def test_an_exception_that_a_handler_answers_is_no_error(recorded):
    with recorded("/refuses") as seen:
        assert call(framework, "/refuses").status == 418
    assert (seen.only.status, seen.only.error) == (418, None)


@pytest.mark.parametrize("at_once", [False, True])
def test_what_the_server_refuses_is_refused(recorded, at_once):
    async def refuses(message):
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")

    def refuses_at_once(message):
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")
        return asyncio.sleep(0)

    with recorded("answers") as seen, pytest.raises(OSError, match="the client is gone") as raised:
        asyncio.run(wrap(raw)(http(), None, refuses_at_once if at_once else refuses))
    assert own_frames(raised.value) == []
    assert seen.only.error == "builtins.OSError"


def test_what_is_no_message_is_for_the_server_to_refuse(recorded):
    messages = [None, {}, {"type": None}, {"type": "http.response.start"}]
    messages += [{"type": "http.response.start", "status": status} for status in ("x", -1, 10**30)]

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    sent = []

    async def send(message):
        sent.append(message)

    with recorded("answers") as seen:
        asyncio.run(wrap(app)(http(), None, send))
    assert all(passed is message for passed, message in zip(sent, messages, strict=True))
    assert seen.only.status is None


class Awaitable:
    """What a server's ``send`` may return as well."""

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return "sent"


async def coroutine(message):
    await asyncio.sleep(0)
    return "sent"


def future(message):
    made = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(made.set_result, "sent")
    return made


@pytest.mark.parametrize("send", [coroutine, future, lambda message: Awaitable()])
@pytest.mark.parametrize("in_task", [False, True])
def test_whatever_the_server_returns_is_awaited_for_its_result(recorded, send, in_task):
    results = []

    async def app(scope, receive, send):
        sent = send({"type": "http.response.body"})
        assert inspect.isawaitable(sent)
        results.append(await (asyncio.wait_for(sent, 60) if in_task else sent))
        results.append(current_request())

    with recorded("answers") as seen:
        asyncio.run(wrap(app)(http(), None, send))
    assert results == ["sent", None]
    assert seen.only.error is None


def test_what_cannot_be_awaited_fails_as_it_does_without_xray(recorded):
    with recorded("answers") as seen, pytest.raises(TypeError, match="await"):
        asyncio.run(wrap(fails_last)(http(), None, lambda message: None))
    assert seen.only.error == "builtins.TypeError"


async def fails_last(scope, receive, send):
    await send({"type": "http.response.body"})


def test_a_cancellation_passes_and_ends_it(recorded):
    async def waits(scope, receive, send):
        await asyncio.sleep(60)

    async def run(app):
        task = asyncio.create_task(ask(app, http()))
        await asyncio.sleep(0.01)
        task.cancel("gone")
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert own_frames(raised.value) == []

    with recorded("answers") as seen:
        asyncio.run(run(wrap(waits)))
    assert seen.only.error == "asyncio.exceptions.CancelledError"


def test_a_cancellation_while_the_last_part_is_sent_passes_and_ends_it(recorded):
    async def never(message):
        await asyncio.sleep(60)

    async def run():
        task = asyncio.create_task(wrap(fails_last)(http(), None, never))
        await asyncio.sleep(0.01)
        task.cancel("gone")
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert own_frames(raised.value) == []

    with recorded("answers") as seen:
        asyncio.run(run())
    assert seen.only.error == "asyncio.exceptions.CancelledError"


@pytest.mark.parametrize("last", [False, True])
def test_an_application_that_nobody_awaits_any_more_is_incomplete(recorded, last):
    async def waits(scope, receive, send):
        await (send({"type": "http.response.body"}) if last else asyncio.sleep(0))

    async def send(message):
        await asyncio.sleep(0)

    with recorded("answers") as seen:
        answer = wrap(waits)(http(), None, send)
        answer.send(None)
        answer.close()
    assert (seen.report.requests.incomplete, seen.report.traces) == (1, ())


def test_a_last_part_that_nobody_awaits_is_warned_of_by_its_own_name():
    async def forgets(scope, receive, send):
        send({"type": "http.response.body"})

    async def servers_own(message):
        pass

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(wrap(forgets)(http(), None, servers_own))
        gc.collect()
    assert ["servers_own' was never awaited" in str(warning.message) for warning in caught] == [True]


@pytest.mark.parametrize("path", ["/streams", "/endless"])
@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_client_that_goes_away_ends_it(recorded, path, spec):
    scope = http(path)
    scope["asgi"]["spec_version"] = spec

    async def run():
        messages = [{"type": "http.request", "body": b"", "more_body": False}]
        sent = 0

        async def receive():
            while sent < 2 or not messages:
                if messages:
                    return messages.pop()
                await asyncio.sleep(0.001)
                if sent >= 2:
                    break
            return {"type": "http.disconnect"}

        async def send(message):
            nonlocal sent
            sent += 1
            if spec == "2.4" and sent > 2:
                raise OSError("the client is gone")

        try:
            await bare(scope, receive, send)
        except Exception as error:
            return type(error).__name__
        return None

    with recorded(path) as seen:
        outcome = asyncio.run(asyncio.wait_for(run(), 60))
    assert outcome == ("ClientDisconnect" if spec == "2.4" else None)
    assert seen.only.status == 200


def talk(app, path, texts):
    received = [{"type": "websocket.connect"}]
    received += [{"type": "websocket.receive", "text": text} for text in texts]
    received += [{"type": "websocket.disconnect", "code": 1000}]
    return call(app, scope=websocket(path), received=received).messages


@pytest.mark.parametrize(("path", "name"), [("/echo/red", "/echo/{room}"), ("/echo-class", "/echo-class")])
def test_a_websocket_ends_when_the_application_is_done_with_it(recorded, path, name):
    with recorded(name) as seen:
        messages = talk(framework, path, ["one", "two"])
    assert [message.get("text") for message in messages if message["type"] == "websocket.send"] == ["one", "two"]
    assert (seen.only.status, seen.only.error) == (101, None)
    assert seen.only.attributes["path"] == path


def test_a_websocket_that_is_refused(recorded):
    with recorded("/refuses-socket") as seen:
        talk(framework, "/refuses-socket", [])
    assert seen.only.status == 403
