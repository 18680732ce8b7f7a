"""The wrapper that stands in for a library's function: a program cannot tell, unless it asks for ``type(f)``."""

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import sys
import types
import unittest.mock
import warnings
import weakref

import pytest
from tracebacks import own_frames

from xray._install import PACKAGE_DIRECTORY
from xray.integrations._segments import trace_calls


class Library:
    """A class of a library."""

    label = "label"

    def method(self, a, /, b=2, *rest, c: int = 3, **options):
        """Adds up."""
        return a + b + sum(rest) + c + sum(options.values())

    method.mark = ["mark"]

    def fails(self):
        raise ValueError("a secret")

    def warns(self):
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    async def coroutine(self, seconds=0.0):
        await asyncio.sleep(seconds)
        return seconds

    def generator(self, count):
        received = {}
        for number in range(count):
            received[number] = yield number
        return list(received.values())

    def recurses(self, depth):
        return depth and 1 + self.recurses(depth - 1)


class Derived(Library):
    def method(self, a):
        return super().method(a) * 10


FUNCTIONS = ["method", "fails", "warns", "coroutine", "generator", "recurses"]
ORIGINALS = {name: vars(Library)[name] for name in FUNCTIONS}


#: An integration as far as the tracer can tell: it hides what is in the package's directory.
INTEGRATION = """
from xray import _xray

def enter(library, *args, **kwargs):
    return _xray.enter_segment(_xray.SEGMENT_EXTERNAL, "library")

def outcome(result, *args, **kwargs):
    return 7, "done"
"""
integration = {"__name__": "integration"}
exec(compile(INTEGRATION, PACKAGE_DIRECTORY + "integration.py", "exec"), integration)
enter = integration["enter"]

for name in FUNCTIONS:
    trace_calls(Library, name, enter, integration["outcome"])


def untraced(work):
    class Bare:
        result = None

    try:
        Bare.result = work()
    except Exception as error:
        Bare.result = error
    return Bare


@pytest.fixture(params=["untraced", "traced"])
def call(request):
    """Calls a function without a session, or traced."""
    return untraced if request.param == "untraced" else request.getfixturevalue("trace")


def test_calls(call):
    library = Library()
    for work, result in [
        (lambda: library.method(1), 6),
        (lambda: library.method(1, 1, 1, 1, c=1, d=1), 6),
        (lambda: library.method(*[1], **{"b": 1, "x": 1}), 6),
        (lambda: Library.method(library, 1), 6),
        (lambda: Derived().method(1), 60),
        (lambda: functools.partial(library.method, 1)(b=1), 5),
        (lambda: list(map(library.method, [1, 2])), [6, 7]),
        (lambda: library.method.__func__(library, 1), 6),
        (lambda: Library.__dict__["method"].__get__(library)(1), 6),
    ]:
        assert call(work).result == result


def test_errors_have_the_traceback_of_the_bare_function(call):
    def names(error):
        found, traceback = [], error.__traceback__
        while traceback is not None:
            found.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        return found

    error = call(lambda: Library().fails()).result
    assert names(error)[-2:] == ["<lambda>", "fails"]
    assert own_frames(error) == []
    error = call(lambda: Library().method()).result
    assert isinstance(error, TypeError)
    assert str(error) == "Library.method() missing 1 required positional argument: 'a'"
    assert own_frames(error) == []


def test_a_warning_names_the_line_of_the_caller():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Library().warns()
    assert caught[0].filename == __file__


def test_it_looks_like_the_function():
    for name, original in ORIGINALS.items():
        wrapper = vars(Library)[name]
        assert wrapper.__wrapped__ is original
        assert isinstance(wrapper, types.FunctionType)
        assert repr(wrapper) == repr(original)
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__", "__code__", "__defaults__"):
            assert getattr(wrapper, attribute) == getattr(original, attribute), attribute
        assert wrapper.__annotations__ == original.__annotations__
        assert inspect.signature(wrapper) == inspect.signature(original)
        assert inspect.getsource(wrapper) == inspect.getsource(original)
        for question in (
            inspect.isfunction,
            inspect.isroutine,
            inspect.ismethod,
            inspect.isgeneratorfunction,
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
            callable,
        ):
            assert question(wrapper) == question(original), question
        assert type(Library().method) is types.MethodType
    assert not hasattr(Library.method, "nothing")
    with pytest.raises(AttributeError, match="'function' object has no attribute 'nothing'"):
        _ = Library.method.nothing
    # Of the same words as without a wrapper: those of the class's other attributes.
    assert set(dir(ORIGINALS["method"])) - set(dir(Library.method)) == set()


def test_attributes_can_be_set():
    assert Library.method.mark is ORIGINALS["method"].mark
    Library.method.other = 1
    assert Library.method.other == 1 and Library.method.__dict__["other"] == 1
    del Library.method.other
    assert not hasattr(Library.method, "other")
    Library.method.__doc__, before = "other", Library.method.__doc__
    assert Library.method.__doc__ == "other"
    Library.method.__doc__ = before


def test_it_is_pickled_and_copied_by_name():
    assert pickle.loads(pickle.dumps(Library.method)) is Library.method
    bound = pickle.loads(pickle.dumps(Library().method))
    assert bound(1) == 6
    assert copy.copy(Library.method) is copy.deepcopy(Library.method) is Library.method


def test_it_can_be_wrapped_again():
    @functools.wraps(Library.method)
    def outer(*args, **kwargs):
        return Library.method(*args, **kwargs)

    assert outer.__name__ == "method"
    assert inspect.unwrap(outer) is ORIGINALS["method"]
    assert outer(Library(), 1) == 6


def test_mocks_take_it_for_a_function():
    mock = unittest.mock.create_autospec(Library, instance=True)
    mock.method(1)
    mock.method.assert_called_once_with(1)
    with pytest.raises(TypeError):
        mock.fails("too much")
    with unittest.mock.patch.object(Library, "method", return_value=0):
        assert Library().method(1) == 0
    assert Library().method(1) == 6


def test_recursion_goes_as_deep_as_its_limit_allows(call):
    # A third of it: CPython 3.12 counts calls from C more strictly.
    assert call(lambda: Library().recurses(sys.getrecursionlimit() // 3)).result == sys.getrecursionlimit() // 3


def test_it_can_be_freed():
    class Other:
        def method(self):
            return self

    original = weakref.ref(Other.method)
    trace_calls(Other, "method", enter)
    wrapper = weakref.ref(Other.method)
    Other.method.cycle = Other
    del Other
    gc.collect()
    assert wrapper() is None and original() is None


def test_a_coroutine_is_one(call):
    def work():
        async def main():
            coroutine = Library().coroutine(0.01)
            assert inspect.iscoroutine(coroutine) and asyncio.iscoroutine(coroutine)
            assert coroutine.__name__ == "coroutine" and coroutine.cr_frame is not None
            assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
            task = asyncio.create_task(coroutine)
            results = await asyncio.gather(task, Library().coroutine(0.02), asyncio.wait_for(Library().coroutine(), 1))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(Library().coroutine(10), 0.01)
            cancelled = asyncio.create_task(Library().coroutine(10))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            return results

        return asyncio.run(main())

    assert call(work).result == [0.01, 0.02, 0.0]


def test_a_coroutine_that_nobody_awaits_warns_once(call):
    def work():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Library().coroutine()
            gc.collect()
        return [str(warning.message) for warning in caught]

    assert call(work).result == ["coroutine 'Library.coroutine' was never awaited"]


def test_a_generator_is_one(call):
    def work():
        assert list(Library().generator(3)) == [0, 1, 2]
        generator = Library().generator(2)
        assert inspect.isgenerator(generator) and next(generator) == 0 and generator.send("a") == 1
        with pytest.raises(StopIteration) as end:
            generator.send("b")
        assert end.value.value == ["a", "b"]
        generator = Library().generator(2)
        next(generator)
        with pytest.raises(KeyError):
            generator.throw(KeyError("thrown"))
        generator = Library().generator(2)
        next(generator)
        generator.close()

        def delegates():
            return (yield from Library().generator(2))

        assert list(delegates()) == [0, 1]
        return True

    assert call(work).result is True


def test_segments_of_calls(trace):
    def work():
        library = Library()
        library.method(1)
        with pytest.raises(ValueError):
            library.fails()
        list(library.generator(3))
        asyncio.run(library.coroutine())

    traced = trace(work)
    assert traced.segments("external") == [("library", 4), ("library: done", 3)]
    (node,) = [node for node in traced.nodes("external") if node.name == "library" and node.errors]
    # The call that failed has no outcome.
    assert (node.errors, node.rows) == (1, 7 * (node.calls - 1))
    # A generator of three goes on three times after its first step.
    assert node.resumes == 3
    assert [traced.path(child)[-2:] for child in traced.nodes("function") if child.name == "Library.generator"] == [
        ["library", "Library.generator"]
    ]


def test_what_an_integration_gets_wrong_stays_with_it(trace, caplog):
    class Other:
        def method(self, value):
            return value

        def other(self, value):
            return value

    def fails(*args, **kwargs):
        raise KeyError("wrong")

    trace_calls(Other, "method", fails)
    trace_calls(Other, "other", enter, fails)
    assert trace(lambda: [Other().method(1), Other().other(2), Other().method(3)]).result == [1, 2, 3]
    assert len([record for record in caplog.records if record.name == "xray"]) == 2
