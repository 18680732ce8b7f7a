"""Any ASGI application, and what is Starlette's own: when a transaction ends, and that nothing else changes."""

import asyncio
import inspect

import pytest
import starletteapp
from asgi_client import ask, call, http, websocket
from starletteapp import app, bare, raw
from tracebacks import own_frames

import xray
from xray._xray import BACKGROUND, WEB


@pytest.fixture
def wrap(recorder, monkeypatch):
    """``xray.asgi`` in a process without frameworks: names come first."""

    def wrap(app, name=None):
        wrapped = xray.asgi(app, name)
        wrapped._xray_named_inside = False
        return wrapped

    return wrap


def test_the_name_is_that_of_the_application(wrap, recorder):
    recorder.is_recording = True
    assert call(wrap(raw), "/some/path", "POST", query="secret=1").body == b"raw"
    assert recorder.only.names == ["starletteapp:raw"]
    assert recorder.only.attributes == {"method": "POST", "path": "/some/path"}
    assert (recorder.only.kind, recorder.only.status, recorder.only.ended) == (WEB, 200, True)


def test_the_application_stays_what_it_is(wrap):
    class App:
        config = {"a": 1}

        async def __call__(self, scope, receive, send):
            await raw(scope, receive, send)

    wrapped = wrap(App())
    assert wrapped.config == {"a": 1}
    assert not hasattr(wrapped, "nothing")
    assert inspect.iscoroutinefunction(wrapped.__call__)
    for changed in (starletteapp.Starlette.__call__, starletteapp.Route.handle):
        assert inspect.iscoroutinefunction(changed)
        assert list(inspect.signature(changed).parameters) == ["self", "scope", "receive", "send"]


def test_where_a_framework_is_loaded_a_name_waits_for_it(recorder):
    seen = []

    async def spy(scope, receive, send):
        seen.append(list(recorder.transactions[-1].names))
        await raw(scope, receive, send)

    wrapped = xray.asgi(spy, "spy")
    call(wrapped)
    call(wrapped)
    # Nothing inside names it: from the second request on the name is there before the application runs.
    assert seen == [[], ["spy"]]
    assert [transaction.names for transaction in recorder.transactions] == [["spy"], ["spy"]]


def test_a_framework_behind_middlewares_names_a_request_before_they_run(recorder):
    recorder.is_recording = True
    seen = []

    class Outer:
        def __init__(self, inside):
            self.app = inside

        async def __call__(self, scope, receive, send):
            seen.append(recorder.only.names[-1][1])
            await self.app(scope, receive, send)

    call(xray.asgi(Outer(bare)), "/tags/x")
    assert seen == ["/tags/{tag}"]


def test_a_response_ends_when_its_last_part_was_sent(recorder):
    ended = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(3):
            await send({"type": "http.response.body", "body": b"part", "more_body": part < 2})
            ended.append(recorder.only.ended)
        ended.append("afterwards")

    asyncio.run(ask(xray.asgi(app), http(), sent=lambda message: ended.append(recorder.only.ended)))
    # Before the server took the last part it had not ended; afterwards it has.
    assert ended == [False, False, False, False, False, False, True, "afterwards"]


def test_a_response_without_end_ends_with_the_call(recorder):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})

    call(xray.asgi(app))
    assert (recorder.only.status, recorder.only.ended, recorder.only.error) == (204, True, None)


async def fails(scope, receive, send):
    raise LookupError("a secret")


async def fails_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise LookupError("a secret")


@pytest.mark.parametrize("app", [fails, fails_late])
def test_an_exception_passes_with_its_own_traceback(wrap, recorder, app):
    with pytest.raises(LookupError) as raised:
        call(wrap(app))
    assert raised.traceback[-1].name == app.__name__
    assert own_frames(raised.value) == []
    assert (recorder.only.error, recorder.only.ended) == ("builtins.LookupError", True)


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("app", [app, bare])
def test_an_exception_of_an_endpoint_is_noted_and_passes(recorder, app, recording):
    recorder.is_recording = recording
    with pytest.raises(LookupError) as raised:
        call(app, "/fails")
    assert raised.traceback[-1].name == "fails"
    assert own_frames(raised.value) == []
    assert (recorder.only.status, recorder.only.error) == (500, "builtins.LookupError")


def test_an_exception_that_a_handler_answers_is_no_error(recorder):
    assert call(app, "/refuses").status == 418
    assert (recorder.only.status, recorder.only.error, recorder.only.names[-1][1]) == (418, None, "/refuses")


def test_what_the_server_refuses_is_refused(wrap, recorder):
    async def refuses(message):
        raise OSError("the client is gone")

    async def run():
        await wrap(raw)(http(), None, refuses)

    with pytest.raises(OSError, match="the client is gone") as raised:
        asyncio.run(run())
    assert own_frames(raised.value) == []
    assert (recorder.only.error, recorder.only.ended) == ("builtins.OSError", True)


def test_what_is_no_message_is_for_the_server_to_refuse(wrap, recorder):
    async def app(scope, receive, send):
        for message in (None, {}, {"type": "http.response.start"}, {"type": "http.response.start", "status": "x"}):
            await send(message)

    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(wrap(app)(http(), None, send))
    assert len(sent) == 4
    assert recorder.only.ended


def test_a_cancellation_passes_and_ends_it(wrap, recorder):
    async def waits(scope, receive, send):
        await asyncio.sleep(60)

    async def run():
        task = asyncio.create_task(ask(wrap(waits), http()))
        await asyncio.sleep(0.01)
        task.cancel("gone")
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert own_frames(raised.value) == []

    asyncio.run(run())
    assert (recorder.only.error, recorder.only.ended) == ("asyncio.exceptions.CancelledError", True)


def test_an_application_that_nobody_awaits_any_more_is_incomplete(wrap, recorder):
    async def waits(scope, receive, send):
        await asyncio.sleep(0)

    answer = wrap(waits)(http(), None, None)
    answer.send(None)
    answer.close()
    assert recorder.only.abandoned


@pytest.mark.parametrize("path", ["/streams", "/endless"])
@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_client_that_goes_away_ends_it(recorder, path, spec):
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

    outcome = asyncio.run(asyncio.wait_for(run(), 20))
    assert recorder.transactions[0].ended
    assert recorder.transactions[0].names[-1][1] == path
    assert outcome == ("ClientDisconnect" if spec == "2.4" else None)


def talk(app, path, texts):
    received = [{"type": "websocket.connect"}]
    received += [{"type": "websocket.receive", "text": text} for text in texts]
    received += [{"type": "websocket.disconnect", "code": 1000}]
    return call(app, scope=websocket(path), received=received).messages


@pytest.mark.parametrize("path", ["/echo/red", "/echo-class"])
def test_a_websocket_ends_when_the_application_is_done_with_it(recorder, path):
    sent = [message.get("text") for message in talk(app, path, ["one", "two"]) if message["type"] == "websocket.send"]
    assert sent == ["one", "two"]
    assert (recorder.only.kind, recorder.only.status, recorder.only.ended) == (WEB, 101, True)


def test_a_websocket_that_is_refused(recorder):
    talk(app, "/refuses-socket", [])
    assert (recorder.only.status, recorder.only.ended) == (403, True)


def test_background_tasks_are_transactions_of_their_own(recorder):
    starletteapp.done.clear()
    assert call(bare, "/tasks").body == b"accepted"
    assert starletteapp.done == ["one", "two"]
    web, *tasks = recorder.transactions
    assert (web.kind, web.names[-1][1], web.ended) == (WEB, "/tasks", True)
    assert [(task.kind, task.names, task.ended) for task in tasks] == [
        (BACKGROUND, ["starletteapp.later"], True),
        (BACKGROUND, ["starletteapp.later_async"], True),
    ]
    # The client had its answer when they began.
    assert all(task.outer is None for task in tasks)


def test_a_background_task_is_no_part_of_a_response_that_is_still_sent(recorder):
    # Behind this middleware it begins while the response is on its way.
    call(app, "/tasks")
    assert [task.alone for task in recorder.transactions[1:]] == [True, True]


def test_a_background_task_that_fails_fails_alone(recorder):
    with pytest.raises(LookupError) as raised:
        call(bare, "/failing-task")
    assert own_frames(raised.value) == []
    web, task = recorder.transactions
    assert (web.status, web.error) == (200, None)
    assert (task.names, task.error, task.ended) == (["starletteapp.later_fails"], "builtins.LookupError", True)


def test_the_life_of_an_application_is_no_request(recorder):
    async def run():
        received = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        return [message["type"] for message in (await ask(xray.asgi(bare), scope, received)).messages]

    assert asyncio.run(run()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert recorder.transactions == []


def test_nothing_is_done_while_the_agent_is_off(wrap, recorder):
    recorder.is_off = True
    assert call(wrap(raw)).body == b"raw"
    assert call(bare, "/tasks").body == b"accepted"
    with pytest.raises(LookupError) as raised:
        call(wrap(fails))
    assert own_frames(raised.value) == []


def test_many_requests_at_once_have_a_transaction_each(recorder):
    async def run():
        return await asyncio.gather(*(ask(app, http(f"/tags/{number}")) for number in range(50)))

    answers = asyncio.run(run())
    assert [answer.body for answer in answers] == [f"plain {{'tag': '{number}'}}".encode() for number in range(50)]
    assert sorted(seen.names[-1][4] for seen in recorder.transactions) == sorted(f"/tags/{n}" for n in range(50))
    assert all(seen.ended and seen.outer is None for seen in recorder.transactions)
