"""Hypothesis strategy for Python programs whose calls can be counted.

A program is a list of functions; each calls only later ones and itself, so it ends. Between them they use what makes
counting calls hard: recursion, generators that are left, thrown into, closed and delegated to, exceptions through
several frames, coroutines that end, are closed and are thrown into, classes with properties and bodies run again,
comprehensions, closures, callbacks from C, context managers.
"""

from hypothesis import strategies as st

HEAD = """\
import contextlib
import functools


class Stop(Exception):
    pass


class Suspended:
    # Awaited, it suspends once.

    def __await__(self):
        return (yield self)


def finished(coroutine, steps):
    # Its result, or None when it has not ended by then.
    try:
        for _ in range(steps):
            coroutine.send(None)
    except StopIteration as end:
        return end.value


@contextlib.contextmanager
def opened(value):
    try:
        yield value
    finally:
        value += 1
"""

#: Blocks of a function's body. ``{call}`` is a call of a later function, ``{n}`` a small number, ``{k}`` a unique one.
BLOCKS = [
    "    for i in range({n}):\n        total += {call}\n",
    "    if n > 0:\n        total += {me}(n - 1)\n",
    "    total += sum([{call} for _ in range({n})])\n",
    "    total += sum({call} for _ in range({n}))\n",
    "    total += len({{i: {call} for i in range({n})}}) + len({{i % 2 for i in range({n})}})\n",
    "    total += sum(map(lambda i: i + {call}, range({n})))\n",
    "    total += len(sorted(range({n}), key=lambda i: -i))\n",
    "    total += functools.reduce(lambda a, b: a + b, range({n} + 1))\n",
    """\
    def numbers{k}(count):
        received = 0
        for i in range(count):
            sent = yield i + received
            received = sent or 0
        return count
    for value in numbers{k}({n} + 2):
        total += value
        if value >= {n}:
            break
""",
    """\
    def catching{k}():
        while True:
            try:
                yield {call}
            except ValueError:
                yield -1
                return
    source = catching{k}()
    total += next(source)
    total += source.throw(ValueError("thrown"))
    total += sum(source)
""",
    """\
    def echo{k}():
        value = 0
        while True:
            value = yield value
    source = echo{k}()
    next(source)
    total += sum(source.send(i) for i in range({n}))
    source.close()
""",
    """\
    def inner{k}():
        yield from range({n})
        return {call}
    def outer{k}():
        result = yield from inner{k}()
        yield result
    total += sum(outer{k}())
""",
    """\
    def failing{k}(depth):
        if depth == 0:
            raise Stop(depth)
        try:
            failing{k}(depth - 1)
        finally:
            {call}
    try:
        failing{k}({n})
    except Stop:
        total += 1
""",
    """\
    def left{k}():
        yield 1
        raise Stop
    try:
        for value in left{k}():
            total += value
    except Stop:
        total += {call}
""",
    """\
    class Point{k}:
        scale = {n}
        def __init__(self, x):
            self.x = x
        @property
        def scaled(self):
            return self.x * self.scale
        @classmethod
        def origin(cls):
            return cls(0)
        @staticmethod
        def zero():
            return 0
        def __add__(self, other):
            return type(self)(self.x + other.x)
        def __len__(self):
            return self.x
        def __iter__(self):
            yield self.x
    point = sum([Point{k}(i) for i in range({n})], Point{k}.origin())
    total += point.scaled + point.zero() + len(point) + sum(point)
""",
    """\
    def traced{k}(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return function(*arguments)
        return wrapper
    @traced{k}
    def wrapped{k}(value):
        return value + {call}
    total += wrapped{k}({n})
""",
    "    with opened({n}) as value:\n        total += value + {call}\n",
    "    with contextlib.suppress(Stop), opened({n}):\n        {call}\n        raise Stop\n",
    """\
    async def awaited{k}(n):
        await Suspended()
        return n + {call}
    async def awaits{k}(n):
        try:
            return await awaited{k}(n) + await awaited{k}(1)
        finally:
            {call}
    total += finished(awaits{k}({n}), 3)
    closed = awaits{k}({n})
    finished(closed, 2)
    closed.close()
    thrown = awaits{k}(1)
    finished(thrown, 1)
    try:
        thrown.throw(Stop)
    except Stop:
        total += 1
    awaits{k}(1).close()
""",
    """\
    async def numbers{k}():
        try:
            for i in range({n} + 1):
                await Suspended()
                yield i
        finally:
            {call}
    async def consumes{k}(most):
        source, received = numbers{k}(), 0
        async for number in source:
            received += number
            if number == most:
                break
        await source.aclose()
        return received + sum([i async for i in numbers{k}()])
    total += finished(consumes{k}({n}), 3 * {n} + 9) or 0
    total += finished(consumes{k}(0), 3 * {n} + 9) or 0
""",
    "    exec('def late(): return {n}\\ntotal = late() + late()', space := {{}})\n    total += space['total']\n",
]


@st.composite
def programs(draw: st.DrawFn) -> str:
    """The text of a program with a function ``main()``."""
    names = [f"f{i}" for i in range(draw(st.integers(2, 5)))]
    parts = [HEAD]
    unique = iter(range(1000))
    for position, name in enumerate(names):
        later = names[position + 1 :]
        body = ""
        recursive = False
        for block in draw(st.lists(st.sampled_from(BLOCKS), min_size=2, max_size=5)):
            if "{me}" in block:
                if recursive:  # twice would make it exponential
                    continue
                recursive = True
            call = f"{draw(st.sampled_from(later))}({draw(st.integers(0, 2))})" if later else "1"
            body += block.format(call=call, n=draw(st.integers(1, 3)), k=next(unique), me=name)
        parts.append(f"def {name}(n):\n    total = n\n{body}    return total\n")
    parts.append("def main():\n    return f0(2)\n")
    return "\n\n".join(parts)
