"""Small programs of different kinds, each a function that does a fixed amount of work, for :mod:`workloads`."""

import asyncio
import io
import json.decoder
import json.encoder
import json.scanner
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


def fib() -> None:
    """Nothing but calls."""

    def number(n: int) -> int:
        return n if n < 2 else number(n - 1) + number(n - 2)

    number(19)


# A round-robin scheduler whose tasks hand packets to one another, as in Richards' benchmark.


@dataclass
class Packet:
    kind: str
    value: int


class Task:
    def __init__(self, scheduler: "Scheduler", name: str) -> None:
        self.scheduler = scheduler
        self.name = name
        self.inbox: deque[Packet] = deque()

    def is_ready(self) -> bool:
        return bool(self.inbox)

    def take(self) -> Packet:
        return self.inbox.popleft()

    def give(self, packet: Packet) -> None:
        self.inbox.append(packet)

    def step(self) -> None:
        raise NotImplementedError


class Worker(Task):
    def step(self) -> None:
        packet = self.take()
        packet.value = self.work(packet.value)
        self.scheduler.send("device" if packet.value % 3 else "handler", packet)

    def work(self, value: int) -> int:
        return (value * 1103515245 + 12345) % 2**31


class Device(Task):
    def step(self) -> None:
        packet = self.take()
        packet.kind = "done"
        self.scheduler.send("handler", packet)


class Handler(Task):
    def step(self) -> None:
        packet = self.take()
        self.scheduler.handled += 1
        if self.scheduler.is_open():
            self.scheduler.send("worker", Packet("work", packet.value))


class Scheduler:
    def __init__(self, packets: int) -> None:
        self.packets = packets
        self.handled = 0
        self.tasks: dict[str, Task] = {}

    def add(self, task: Task) -> None:
        self.tasks[task.name] = task

    def is_open(self) -> bool:
        return self.handled < self.packets

    def send(self, name: str, packet: Packet) -> None:
        self.tasks[name].give(packet)

    def run(self) -> None:
        while self.is_open():
            for task in self.tasks.values():
                if task.is_ready():
                    task.step()


def scheduler() -> None:
    """Methods of a few small classes that call one another."""
    made = Scheduler(1_500)
    for kind in (Worker, Device, Handler):
        made.add(kind(made, kind.__name__.lower()))
    for seed in range(3):
        made.send("worker", Packet("work", seed))
    made.run()


# One-way constraints between variables, planned by strength and run in order, as in DeltaBlue.


@dataclass
class Variable:
    value: int
    constraints: list["Constraint"] = field(default_factory=list)


class Constraint:
    def __init__(self, source: Variable, target: Variable, strength: int) -> None:
        self.source, self.target, self.strength = source, target, strength
        source.constraints.append(self)

    def is_weaker(self, than: int) -> bool:
        return self.strength > than

    def run(self) -> None:
        self.target.value = self.output(self.source.value)

    def output(self, value: int) -> int:
        raise NotImplementedError


class Same(Constraint):
    def output(self, value: int) -> int:
        return value


class Scaled(Constraint):
    def output(self, value: int) -> int:
        return 2 * value + 1


def plan(start: Variable) -> Iterator[Constraint]:
    pending = [start]
    while pending:
        for constraint in pending.pop().constraints:
            if not constraint.is_weaker(5):
                yield constraint
                pending.append(constraint.target)


def constraints() -> None:
    """Small objects, a generator, and methods found by class."""
    first = last = Variable(0)
    for at in range(300):
        made = Variable(0)
        (Scaled if at % 10 == 0 else Same)(last, made, at % 6)
        last = made
    for value in range(6):
        first.value = value
        for constraint in plan(first):
            constraint.run()


# Rays through a scene of spheres.


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x: float, y: float, z: float) -> None:
        self.x, self.y, self.z = x, y, z

    def __add__(self, other: "Vector") -> "Vector":
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other: "Vector") -> "Vector":
        return Vector(self.x - other.x, self.y - other.y, self.z - other.z)

    def scaled(self, by: float) -> "Vector":
        return Vector(self.x * by, self.y * by, self.z * by)

    def dot(self, other: "Vector") -> float:
        return self.x * other.x + self.y * other.y + self.z * other.z

    def unit(self) -> "Vector":
        return self.scaled(self.dot(self) ** -0.5)


class Sphere:
    def __init__(self, centre: Vector, radius: float) -> None:
        self.centre, self.radius = centre, radius

    def distance(self, origin: Vector, direction: Vector) -> float | None:
        to_centre = self.centre - origin
        along = to_centre.dot(direction)
        behind = to_centre.dot(to_centre) - along * along
        inside = self.radius * self.radius - behind
        return along - inside**0.5 if inside > 0 and along > 0 else None

    def normal(self, point: Vector) -> Vector:
        return (point - self.centre).unit()


def colour(spheres: list[Sphere], origin: Vector, direction: Vector, depth: int = 0) -> float:
    hits = [(distance, sphere) for sphere in spheres if (distance := sphere.distance(origin, direction)) is not None]
    if not hits or depth > 2:
        return 0.5 * (direction.y + 1)
    distance, sphere = min(hits, key=lambda hit: hit[0])
    point = origin + direction.scaled(distance)
    normal = sphere.normal(point)
    mirrored = direction - normal.scaled(2 * direction.dot(normal))
    return 0.8 * colour(spheres, point + normal.scaled(1e-6), mirrored.unit(), depth + 1)


def raytrace() -> None:
    """Arithmetic on small objects."""
    spheres = [Sphere(Vector(at - 1.5, (at % 2) - 0.5, 5 + at), 1) for at in range(4)]
    for pixel in range(20 * 12):
        direction = Vector(pixel % 20 / 10 - 1, pixel // 20 / 6 - 1, 2).unit()
        colour(spheres, Vector(0, 0, 0), direction)


DOCUMENT = [{"id": at, "tags": ["a", "b", str(at)], "nested": {"price": at / 4, "sold": None}} for at in range(60)]


def pickled() -> None:
    """The pickle module without its C half."""
    buffer = io.BytesIO()
    pickle._Pickler(buffer, 4).dump(DOCUMENT)
    buffer.seek(0)
    pickle._Unpickler(buffer).load()


class Decoder(json.decoder.JSONDecoder):
    """The json module's decoder without its C half."""

    def __init__(self) -> None:
        super().__init__()
        self.parse_string = json.decoder.py_scanstring  # type: ignore[attr-defined]
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def jsoned() -> None:
    """The json module without its C half: mostly generators."""
    json.encoder.c_make_encoder = None  # type: ignore[attr-defined]
    Decoder().decode(json.encoder.JSONEncoder(indent=1).encode(DOCUMENT))


async def _leaf(turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


async def _middle(turns: int) -> int:
    return await _leaf(turns) + await _leaf(1)


async def _tasks() -> int:
    return sum(await asyncio.gather(*(_middle(5) for _ in range(40))))


_loop: list[asyncio.AbstractEventLoop] = []


def awaits() -> None:
    """Tasks of one event loop with many awaits."""
    if not _loop:
        _loop.append(asyncio.new_event_loop())
    _loop[0].run_until_complete(_tasks())


PROGRAMS: dict[str, Callable[[], None]] = {
    "awaits": awaits,
    "scheduler": scheduler,
    "constraints": constraints,
    "raytrace": raytrace,
    "pickle": pickled,
    "json": jsoned,
    "fib": fib,
}
