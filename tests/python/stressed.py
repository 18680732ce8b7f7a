"""Run by `test_sampler_stress.py`: sessions that sample while code, threads and memory are made and given back.

Arguments: the least counts (JSON), and the most seconds. Prints what was counted while sampling, and what was wrong.
"""

import _thread
import asyncio
import ctypes
import itertools
import json
import queue
import resource
import statistics
import sys
import threading
import time
import types
import weakref

import xray

LEAST, MOST_SECONDS = json.loads(sys.argv[1]), float(sys.argv[2])
SECONDS_OF_A_SESSION = 8
DEPTH = 1500
PAGES_OF_A_PIECE = 4  # 16 KiB, the least that CPython takes for a data stack

counts = dict.fromkeys(["codes", "threads", "dives", "rounds", "samples", "ticks", "torn", "named", "sessions"], 0)
wrong_results, wrong_names, mechanisms = [], [], set()
done = threading.Event()


def expect(given, right):
    if given != right:
        wrong_results.append(repr((given, right))[:200])


def deep(n, a=1, b=2, c=3, d=4):
    return n and 1 + deep(n - 1)


def template():
    sum(range(200))
    return 123_456_789


def number_of_pages():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0])


def pieces_of_a_dive():
    """Pieces of a data stack that are unmapped when `deep(DEPTH)` returns: the median, as the agent's threads run."""
    at_bottom = []

    def dive(n, a=1, b=2, c=3, d=4):
        return 1 + dive(n - 1) if n else at_bottom.append(number_of_pages()) or 0

    shrunk = []
    for _ in range(20):
        expect(dive(DEPTH), DEPTH)
        shrunk.append(at_bottom.pop() - number_of_pages())
    return int(statistics.median(shrunk)) // PAGES_OF_A_PIECE


def codes():
    """Each function has its number in its name, in its file's and in its result."""
    code, marker = template.__code__, template()
    globals_ = {"__builtins__": __builtins__}
    while not done.is_set():
        number = counts["codes"]
        name = f"made_{number}"
        constants = tuple(marker + number if value == marker else value for value in code.co_consts)
        made = code.replace(co_name=name, co_qualname=name, co_filename=f"<made {number}>", co_consts=constants)
        function = types.FunctionType(made, globals_)
        expect(function(), marker + number)
        gone = weakref.ref(made)
        del function, made
        expect(gone(), None)
        counts["codes"] += 1


def threads():
    """Without `threading`, whose threads wait for their turn once more before `start` returns."""
    while not done.is_set():
        results = queue.SimpleQueue()
        for _ in range(64):
            _thread.start_new_thread(lambda put: put(deep(50)), (results.put,))
        expect([results.get(timeout=60) for _ in range(64)], [50] * 64)
        while _thread._count() > len(WORKERS):  # they have their results, and end
            time.sleep(0.001)
        counts["threads"] += 64


def dives():
    while not done.is_set():
        expect(deep(DEPTH), DEPTH)
        counts["dives"] += 1


def arenas():
    """Some 24 arenas of a mebibyte, in one call that no other thread interrupts: what that allocates would keep them.

    The C library's free memory goes back to the kernel, too.
    """
    trim = ctypes.CDLL(None).malloc_trim
    while not done.is_set():
        expect(len(list(map(bytes, itertools.repeat(450, 50_000)))), 50_000)
        counts["rounds"] += 1
        if counts["rounds"] % 5 == 0:
            trim(0)
        time.sleep(0.2)  # or little else would have a turn


def generators():
    def chain(n):
        if n:
            yield from chain(n - 1)
        else:
            yield 1

    while not done.is_set():
        expect(list(chain(30)), [1])


def coroutines():
    async def chain(n):
        if n:
            return 1 + await chain(n - 1)
        await asyncio.sleep(0)
        return 0

    async def main():
        while not done.is_set():
            expect(await asyncio.gather(*map(chain, (1, 10, 40))), [1, 10, 40])

    asyncio.run(main())


WORKERS = (codes, threads, dives, arenas, generators, coroutines)


def session():
    path = f"{counts['sessions']}.xr"
    with xray.start_session("none", seconds=600, hz=10_000, max_overhead=1.0, path=path) as session:
        time.sleep(0.1)
        done.clear()
        workers = [threading.Thread(target=work) for work in WORKERS]
        for worker in workers:
            worker.start()
        time.sleep(SECONDS_OF_A_SESSION)
        done.set()
        for worker in workers:
            worker.join()
    report = session.wait()
    told = report.to_dict()
    for process in told["session"]["processes"]:
        mechanisms.add("{mechanism}: {reason}".format(**process["sampler"]))
    samples = told["samples"]
    counts["sessions"] += 1
    counts["samples"] += samples["count"]
    counts["torn"] += samples["torn"]
    counts["ticks"] += round(samples["achieved_hz"] * told["session"]["duration_ns"] / 1e9)
    for node in report.sample_tree.nodes:
        name, file = node.name or "", node.file or ""
        if name.startswith("made_") or file.startswith("<made "):
            counts["named"] += 1
            if file != f"<made {name.removeprefix('made_')}>":
                wrong_names.append((name, file))


def main():
    # A worker that dies would leave its counts where they are.
    threading.excepthook = lambda died: wrong_results.append(repr(died.exc_value))
    sys.setrecursionlimit(10_000)
    sys.setswitchinterval(0.0001)
    xray.install()
    with xray.transaction("first"):  # starts the agent
        pass
    pieces = pieces_of_a_dive()
    sys._debugmallocstats()
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        session()
        # A thread that ends gives back one piece at least: its first.
        counts["unmapped"] = pieces * counts["dives"]
        if all(counts[name] >= count for name, count in LEAST.items()) and 10 * counts["rounds"] >= LEAST["unmapped"]:
            break
        print(counts, file=sys.stderr, flush=True)
    sys._debugmallocstats()
    with open("/proc/self/maps") as maps:
        libraries = "jemalloc" if "jemalloc" in maps.read() else ""
    print(
        json.dumps(
            {
                "counts": {**counts, "pieces_of_a_dive": pieces},
                "libraries": libraries,
                "mechanisms": sorted(mechanisms),
                "wrong_results": wrong_results[:10],
                "wrong_names": wrong_names[:10],
                "most_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            }
        )
    )


main()
