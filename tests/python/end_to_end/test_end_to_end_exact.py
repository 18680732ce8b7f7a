"""Written programs that are hard to count: their counts equal those of ``sys.setprofile`` without xray."""

from pathlib import Path

import pytest
from test_end_to_end_counts import check_equal

DEEP = """
import sys
sys.setrecursionlimit(100_000)

def down(n):
    return 0 if n == 0 else 1 + down(n - 1)

def ping(n):
    return 0 if n == 0 else 1 + pong(n - 1)

def pong(n):
    return 0 if n == 0 else 1 + ping(n - 1)

def main():
    assert down(15_000) == ping(15_000) == 15_000
"""

EXCEPTIONS = """
import contextlib

class Failed(Exception):
    def __init__(self, depth):
        super().__init__(depth)

@contextlib.contextmanager
def translated():
    try:
        yield
    except Failed as error:
        raise ValueError from error

def through(depth):
    if depth == 0:
        raise Failed(depth)
    try:
        return through(depth - 1)
    finally:
        left(depth)

def left(depth):
    pass

def delegated(depth):
    if depth == 0:
        yield 1
        raise Failed(0)
    yield from delegated(depth - 1)

def again(depth):
    try:
        if depth == 0:
            [].pop()
        again(depth - 1)
    except LookupError as error:
        raise KeyError(depth) from error

def main():
    for depth in (1, 10, 300):
        try:
            with translated():
                through(depth)
        except ValueError:
            pass
        source = delegated(min(depth, 50))
        try:
            list(source)
        except Failed:
            pass
        try:
            again(depth)
        except KeyError:
            pass
"""

LOADED = """
import importlib.util, pathlib, sys, tempfile

SOURCE = '''
import functools
VALUES = [n * n for n in range(3)]
class Made:
    attribute = len(VALUES)
    def method(self):
        return sum(value for value in VALUES)
@functools.cache
def cached(n):
    return n
def call():
    return Made().method() + cached(1) + cached(1)
'''
path = pathlib.Path(tempfile.gettempdir()) / "xray_test_loaded.py"
path.write_text(SOURCE)

def load(name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

def main():
    for n in range(10):
        module = load(f"loaded{n}")
        module.call()
        names = {}
        exec(compile("def made(n):\\n    return n + 1", "<made>", "exec"), names)
        eval("[made(n) for n in range(4)]", names)
        # Freed at once: the next code object may have its address.
        del names, module
"""

GENERATORS = """
import itertools

def numbers(n):
    try:
        for i in range(n):
            yield i
    finally:
        done()

def done():
    pass

def outer(n):
    received = yield from inner(n)
    yield received

def inner(n):
    total = 0
    while len_of(total) < n:
        try:
            total += yield total
        except ValueError:
            total += 10
    return total

def len_of(n):
    return n

def main():
    interleaved = [numbers(5) for _ in range(5)]
    for one in itertools.zip_longest(*interleaved):
        len_of(one)
    unfinished = numbers(100)
    next(unfinished)
    del unfinished
    never_started = numbers(3)
    never_started.close()
    source = outer(50)
    next(source)
    for _ in range(4):
        source.send(2)
        source.throw(ValueError())
    source.close()
    list(map(done.__class__.__call__, itertools.repeat(done, 5)))
    # A generator that is left in a reference cycle and ends when it is collected or never.
    sum(numbers(3), sum(n for n in numbers(4)))
"""

ASYNCIO = """
import asyncio, contextvars

async def child(n):
    await asyncio.sleep(0)
    return leaf(n)

def leaf(n):
    return n

async def fails(n):
    await asyncio.sleep(0)
    raise LookupError(n)

async def forever():
    try:
        while True:
            await asyncio.sleep(0)
            leaf(0)
    finally:
        await child(1)

async def numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i

async def parent():
    assert sum(await asyncio.gather(*[child(n) for n in range(20)])) == 190
    results = await asyncio.gather(fails(1), child(2), return_exceptions=True)
    assert isinstance(results[0], LookupError)
    endless = asyncio.ensure_future(forever())
    for _ in range(5):
        await asyncio.sleep(0)
    endless.cancel()
    try:
        await endless
    except asyncio.CancelledError:
        leaf(3)
    never_run = asyncio.ensure_future(child(7))
    never_run.cancel()
    await asyncio.gather(never_run, return_exceptions=True)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(1))
            group.create_task(fails(2))
    except ExceptionGroup:
        leaf(4)
    async for number in numbers(6):
        if number == 3:
            break
    asyncio.get_running_loop().call_soon(leaf, 5)
    await asyncio.sleep(0)
    unawaited = child(9)
    unawaited.close()

def main():
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(parent())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
"""

PROGRAMS = {"deep": DEEP, "exceptions": EXCEPTIONS, "loaded": LOADED, "generators": GENERATORS, "asyncio": ASYNCIO}


@pytest.mark.parametrize("name", PROGRAMS)
def test_counts_of_a_hard_program(tmp_path: Path, name: str) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAMS[name])
    check_equal(tmp_path, "program", str(file))
