"""`@xray.trace`: what a function was called with, without running any code of the application to show it."""

import functools
import inspect
import subprocess
import sys

import pytest

import xray

PROGRAM = """
import asyncio, contextlib, functools, sys, threading
import host, xray
from xray import _xray
host.request()

def recorded(report):
    (trace,) = report.traces
    return [(trace.nodes[e.node].name, e.arguments) for e in trace.timeline if e.arguments is not None]

def session(work):
    with host.start(path="a.xr") as session:
        with xray.transaction("work"):
            work()
    return session.wait()
"""


def test_the_function_stays_what_it_is():
    def function(a: int, *, b: str = "x") -> str:
        """Doc."""
        return f"{a}{b}"

    before = vars(function).copy()
    assert xray.trace(function) is function
    assert xray.trace(redact=["a"])(function) is function
    assert vars(function) == before and not hasattr(function, "__wrapped__")
    assert str(inspect.signature(function)) == "(a: int, *, b: str = 'x') -> str"

    async def coroutine(): ...
    async def asynchronous_generator():
        yield 1

    def generator():
        yield 1

    assert inspect.iscoroutinefunction(xray.trace(coroutine))
    assert inspect.isasyncgenfunction(xray.trace(asynchronous_generator))
    assert inspect.isgeneratorfunction(xray.trace(generator))
    wrapped = functools.lru_cache(function)
    assert xray.trace(wrapped) is wrapped and wrapped.__wrapped__ is function


def test_what_is_no_python_function_is_refused_where_it_is_written():
    from unittest.mock import MagicMock

    for unfit in (len, 3, dict, type("C", (), {}), functools.partial(len), MagicMock(), None.__class__):
        with pytest.raises(TypeError, match="functions written in Python"):
            xray.trace(unfit)
    for names in ("account", [1], 3):
        with pytest.raises(TypeError):
            xray.trace(redact=names)


def test_each_call_has_its_own(host):
    host.run(
        PROGRAM
        + """
@xray.trace
def plain(tag, limit=10, *rest, flag, **options):
    return tag
class Mailer:
    @xray.trace
    def method(self, n): pass
    @xray.trace
    @staticmethod
    def static(n): pass
    @classmethod
    @xray.trace
    def of_class(cls, n): pass
    @xray.trace
    @property
    def value(self): return 1
    @xray.trace
    @functools.cached_property
    def cached(self): return 1
@xray.trace
@functools.lru_cache
def cached(n): return n
@xray.trace
def factorial(n): return 1 if n == 0 else n * factorial(n - 1)
@xray.trace
def numbers(n):
    def inner(): return n
    yield inner()
    yield n
def work():
    plain("a", flag=True)
    plain("b", 2, 3.5, None, flag=False, x={"k": [1, (2,)]})
    mailer = Mailer()
    mailer.method(1); mailer.static(2); mailer.of_class(3); mailer.value; mailer.cached
    cached(1); cached(1); cached(2)
    factorial(2)
    assert list(numbers(5)) == [5, 5]
assert recorded(session(work)) == [
    ("plain", "tag='a', limit=10, flag=True, *rest=(), **options={}"),
    ("plain", "tag='b', limit=2, flag=False, *rest=(3.5, None), **options={'x': {'k': [… 2]}}"),
    ("Mailer.method", "self=<Mailer>, n=1"),
    ("Mailer.static", "n=2"),
    ("Mailer.of_class", "cls=<type>, n=3"),
    ("Mailer.value", "self=<Mailer>"),
    ("Mailer.cached", "self=<Mailer>"),
    ("cached", "n=1"),
    ("cached", "n=2"),
    ("factorial", "n=2"),
    ("factorial", "n=1"),
    ("factorial", "n=0"),
    ("numbers", "n=5"),
], recorded(session(work))
# Outside of a trace nothing is left of it.
work()
"""
    )


def test_coroutines_and_asynchronous_generators(host):
    host.run(
        PROGRAM
        + """
@xray.trace
async def job(n, given=None):
    async def inner(): return n
    await asyncio.sleep(0)
    return await inner()
@xray.trace
async def numbers(n):
    yield n
    await asyncio.sleep(0)
    yield n + 1
async def main():
    assert await job(1) == 1
    assert [n async for n in numbers(7)] == [7, 8]
    # Its arguments are those of its start, not of its call.
    later = job(2, given=(1,))
    await later
with host.start(path="a.xr") as session:
    with xray.transaction("work"):
        coroutine = main()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(coroutine)
        loop.close()
(trace,) = session.wait().traces
found = [e.arguments for e in trace.timeline if e.arguments is not None]
assert found == ["n=1, given=None", "n=7", "n=2, given=(1,)"], found
"""
    )


def test_no_code_of_the_application_runs(host):
    host.run(
        PROGRAM
        + """
class Meta(type):
    def __getattribute__(cls, name): ran.append(name); return super().__getattribute__(name)
    def __instancecheck__(cls, other): ran.append("instancecheck"); return True
def hostile(base):
    def attribute(self, name): ran.append(name); raise AssertionError(name)
    methods = ["__repr__", "__str__", "__format__", "__len__", "__iter__", "__getitem__", "__int__", "__index__",
               "__float__", "__bool__", "__hash__", "__eq__", "keys", "items", "__bytes__", "__class__"]
    def method(name):
        def called(self, *a): ran.append(name); raise AssertionError(name)
        return property(called) if name == "__class__" else called
    space = {name: method(name) for name in methods}
    return Meta("Hostile" + base.__name__.title(), (base,), space | {"__getattribute__": attribute})
made = []
for base, arguments in [(object, ()), (int, (7,)), (float, (1.5,)), (str, ("text",)), (bytes, (b"12",)),
                        (list, ([1, 2],)), (tuple, ((1, 2),)), (dict, ({"a": 1},)), (set, ([1],))]:
    made.append(hostile(base)(*arguments))
deleted = []
class Temporary:
    def __del__(self): deleted.append(1)
ran = []
@xray.trace
def shown(*values):
    assert not ran, ran
    assert deleted == []
def work():
    shown(*made[:3], Temporary())
    deleted.clear()
    shown(*made[3:7]); deleted.clear()
    shown(*made[7:])
assert [text for _, text in recorded(session(work))] == [
    "*values=(<HostileObject>, HostileInt(7), HostileFloat(1.5), <Temporary>)",
    "*values=(HostileStr('text'), <HostileBytes, 2 long>, HostileList([1, 2]), HostileTuple((1, 2)))",
    "*values=(HostileDict({'a': 1}), <HostileSet, 1 long>)",
], recorded(session(work))
"""
    )


def test_values_are_cut_and_secrets_are_left_out(host):
    host.run(
        PROGRAM
        + """
@xray.trace(redact=["account"])
def login(user, password, account, api_key=None, **options): pass
@xray.trace
def large(text=None, number=0, items=(), mapping=None): pass
@xray.trace
def many(a, b, c, d, e, f, g, h): pass
recursive = []; recursive.append(recursive)
def work():
    login("ada", "hunter2", "DE123", "k", token="t", author="x", deeper={"session_id": 7, "n": 1})
    large("x" * 10**7, 10**5000, list(range(10**6)), dict.fromkeys(range(1000)))
    large("it's\\n\\x00 é \\udcff \\U0001f600", -(10**30), recursive, {(): {}})
    many(*["y" * 100] * 8)
report = session(work)
texts = [text for _, text in recorded(report)]
assert texts[0] == ("user='ada', password=<redacted>, account=<redacted>, api_key=<redacted>, "
    "**options={'token': <redacted>, 'author': 'x', 'deeper': {'session_id': <redacted>, 'n': 1}}"), texts[0]
assert texts[1] == (f"text='{'x' * 80}…' (10000000 characters), number=<large integer>, "
    "items=[0, 1, 2, 3, … 1000000], mapping={0: None, 1: None, 2: None, 3: None, … 1000}"), texts[1]
assert texts[2] == ("text='it\\\\'s\\\\n\\\\u{0} é \\\\udcff \\U0001f600', number=-<large integer>, "
    "items=[[[… 1]]], mapping={(): {}}"), texts[2]
assert len(texts[3].encode()) <= 512 and texts[3].endswith("…"), texts[3]
text = report.text()
everything = open("a.xr", "rb").read()
for secret in (b"hunter2", b"DE123"): assert secret not in everything
trace = xray.open("a.xr").traces[0]
"""
    )


def test_the_report_shows_them(host, tmp_path):
    host.run(
        PROGRAM
        + """
@xray.trace
def tagged(tag, limit): pass
session(lambda: tagged("dja<b>ngo", 7))
"""
    )
    report = xray.open(tmp_path / "a.xr")
    assert "tag='dja<b>ngo', limit=7" in report.traces[0].timeline[-1].arguments
    assert "dja&lt;b&gt;ngo" in report.html() and "dja<b>ngo" not in report.html()
    argv = ["report", str(tmp_path / "a.xr"), "--trace", report.traces[0].id, "--width", "100"]
    shown = subprocess.run(
        [sys.executable, "-m", "xray", *argv],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "tag='dja<b>ngo', limit=7" in shown.stdout, shown


def test_many_calls_keep_the_arguments_of_those_that_are_shown(host):
    host.run(
        PROGRAM
        + """
@xray.trace
def quick(n, text): return n
@xray.trace
def slow(n):
    for i in range(2000): quick(i, "z" * 60)
def work():
    for n in range(50): slow(n)
report = session(work)
(trace,) = report.traces
by_name = {}
for node in trace.nodes: by_name[node.name] = by_name.get(node.name, 0) + node.calls
assert by_name["quick"] == 100_000 and by_name["slow"] == 50, by_name
found = recorded(report)
assert [text for name, text in found if name == "slow"] == [f"n={n}" for n in range(50)]
quick = [e for e in trace.timeline if trace.nodes[e.node].name == "quick"]
without = sum(e.arguments is None for e in quick)
assert 0 < without < len(quick), (without, len(quick))
loss = {entry["kind"]: entry["count"] for entry in report.to_dict()["loss"]}
assert loss["arguments"] == without, (loss, without)
"""
    )


def test_marked_in_mid_session_and_code_that_is_gone(host):
    host.run(
        PROGRAM
        + """
import gc
def later(n): return n
def factory():
    names = {}
    exec("def made(n): return n", names)
    return xray.trace(names["made"])
for _ in range(5000): factory()
gc.collect()
with host.start(path="a.xr") as session:
    with xray.transaction("work"):
        later(1)
    xray.trace(later)
    with xray.transaction("work"):
        later(2)
        factory()(3)
first, second = sorted(session.wait().traces, key=lambda trace: trace.summary.started_at)
arguments = lambda trace: [e.arguments for e in trace.timeline if e.arguments is not None]
assert arguments(first) == [] and arguments(second) == ["n=2", "n=3"], (arguments(first), arguments(second))
"""
    )
