"""``xray.transaction``: marked blocks, functions and coroutines."""

import asyncio
import functools
import inspect
import threading

import pytest
from tracebacks import own_frames

import xray
from xray import _xray


def test_a_block_is_a_transaction(recorder):
    with xray.transaction("nightly", kind="background"):
        assert not recorder.only.ended
    assert (recorder.only.kind, recorder.only.names, recorder.only.ended) == (_xray.BACKGROUND, ["nightly"], True)
    assert recorder.only.error is None


def test_a_function_keeps_its_name_and_signature(recorder):
    @xray.transaction("send")
    def send(address: str, *, retries: int = 3) -> str:
        """Sends."""
        return f"{address} {retries}"

    assert send("a", retries=4) == "a 4"
    assert (send.__name__, send.__doc__, send.__module__) == ("send", "Sends.", __name__)
    assert str(inspect.signature(send)) == "(address: str, *, retries: int = 3) -> str"
    assert send.__wrapped__ is not send
    assert recorder.only.names == ["send"]


def test_methods(recorder):
    class Mailer:
        @xray.transaction("method")
        def method(self):
            return self

        @xray.transaction("static")
        @staticmethod
        def static(a):
            return a

        @xray.transaction("class")
        @classmethod
        def of_class(cls):
            return cls

    mailer = Mailer()
    assert mailer.method() is mailer
    assert (mailer.static(1), Mailer.static(2), Mailer.of_class()) == (1, 2, Mailer)
    assert [transaction.names for transaction in recorder.transactions] == [
        ["method"],
        ["static"],
        ["static"],
        ["class"],
    ]


def test_a_coroutine_function_stays_one(recorder):
    @xray.transaction("job")
    async def job(n):
        await asyncio.sleep(0)
        return n

    async def both():
        return await asyncio.gather(job(1), job(2))

    assert inspect.iscoroutinefunction(job)
    assert asyncio.run(both()) == [1, 2]
    assert [(transaction.names, transaction.ended) for transaction in recorder.transactions] == [(["job"], True)] * 2


def test_recursion_is_one_transaction(recorder):
    @xray.transaction("fib")
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(10) == 55
    assert len(recorder.transactions) == 1
    fib(3)
    assert len(recorder.transactions) == 2


def test_another_name_inside_is_a_transaction_of_its_own(recorder):
    with xray.transaction("outer"), xray.transaction("inner"), xray.transaction("outer"):
        assert [transaction.names for transaction in recorder.transactions] == [["outer"], ["inner"]]
        assert recorder.current().names == ["inner"]
    assert recorder.current() is None


def test_one_object_in_several_threads_and_again(recorder):
    marker = xray.transaction("shared")
    barrier = threading.Barrier(4)

    def work():
        for _ in range(20):
            with marker:
                barrier.wait(10)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recorder.transactions) == 80
    assert all(transaction.ended for transaction in recorder.transactions)


def test_an_exception_passes_and_its_type_is_noted(recorder):
    @xray.transaction("fails")
    def fails():
        raise KeyError("a secret")

    @xray.transaction("fails too")
    async def fails_too():
        raise KeyError("a secret")

    for call in (fails, lambda: asyncio.run(fails_too())):
        with pytest.raises(KeyError) as raised:
            call()
        assert own_frames(raised.value) == []
        assert (recorder.transactions[-1].error, recorder.transactions[-1].ended) == ("builtins.KeyError", True)


def test_an_exception_that_refuses_attributes_passes_as_well(recorder):
    class Frozen(Exception):
        def __setattr__(self, name, value):
            raise AttributeError(name)

    @xray.transaction("frozen")
    def fails():
        raise Frozen

    with pytest.raises(Frozen) as raised:
        fails()
    assert own_frames(raised.value) == []


@pytest.mark.parametrize("code, error", [(None, None), (0, None), (3, "builtins.SystemExit")])
def test_a_planned_exit_is_no_failure(recorder, code, error):
    with pytest.raises(SystemExit), xray.transaction("exits"):
        raise SystemExit(code)
    assert recorder.only.error == error


def test_what_cannot_be_marked_is_refused_where_it_is_written():
    def generator():
        yield 1

    async def asynchronous_generator():
        yield 1

    for unfit in (generator, asynchronous_generator, functools.partial(generator), type("C", (), {}), 3):
        with pytest.raises(TypeError):
            xray.transaction("name")(unfit)
    with pytest.raises(TypeError, match="needs a name"):
        xray.transaction(generator)
    with pytest.raises(ValueError, match="'background'"):
        xray.transaction("name", kind="cron")


def test_left_in_another_context_than_entered(recorder):
    import contextvars

    marker = xray.transaction("context")
    contextvars.copy_context().run(marker.__enter__)
    marker.__exit__(None, None, None)
    with xray.transaction("other"):
        marker.__exit__(None, None, None)
        assert not recorder.transactions[-1].ended


def test_naming_outside_of_a_transaction_does_nothing(recorder):
    xray.set_transaction_name("nobody's")
    with xray.transaction("before"):
        xray.set_transaction_name("after")
    assert recorder.only.names == ["before", "after"]


def test_nothing_is_done_while_the_agent_is_off(recorder):
    recorder.is_off = True
    with xray.transaction("off"):
        pass
    assert xray.transaction("off")(lambda: 3)() == 3
