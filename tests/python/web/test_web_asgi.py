"""Any ASGI application, and what is Starlette's own: when a transaction ends, and that nothing else changes."""

import asyncio
import inspect

import pytest
import starletteapp
from asgi_client import ask, call, http
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


async def fails(scope, receive, send):
    raise LookupError("a secret")


def test_an_exception_that_a_handler_answers_is_no_error(recorder):
    assert call(app, "/refuses").status == 418
    assert (recorder.only.status, recorder.only.error, recorder.only.names[-1][1]) == (418, None, "/refuses")


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
