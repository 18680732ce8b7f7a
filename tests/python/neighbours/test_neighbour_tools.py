"""Debuggers and coverage tools: what they see is the same with and without a session, whoever came first."""

import sys

import pytest

MODES = ["before", "mid", "inside"]

WORK = """
def numbers(n):
    for i in range(n):
        yield i

class Thing:
    def __init__(self, n):
        self.n = n
    def __enter__(self):
        return self
    def __exit__(self, *exc):
        return True

def deep(n):
    if n == 0:
        raise LookupError
    return deep(n - 1)

def work():
    total = sum(numbers(5)) + len([Thing(n) for n in range(3)])
    with Thing(total):
        deep(3)
    never = None
    if never:
        total = 7
    for value in numbers(2):
        total += value
    return total

def observe_in_mode():
    # In every mode the same is done while the tool listens: `work` twice.
    if MODE == "none":
        listen()
        work(); work()
        return stop()
    if MODE == "before":
        # The tool first; a session begins and ends while it listens.
        with quietly(): pass
        listen()
        with quietly(session()):
            with quietly(xray.transaction("work")): work()
        work()
        return stop()
    with session():
        with xray.transaction("work"): work()
        if MODE == "mid":
            listen()
            with quietly(xray.transaction("work")): work()
            work()
            return stop()
        with xray.transaction("work"):
            work()
            listen()
            work(); work()
            return stop()
"""

BDB = (
    """
import bdb

class Debugger(bdb.Bdb):
    seen = []
    def own(self, frame): return frame.f_code.co_filename == __file__ and frame.f_code.co_name in NAMES
    def note(self, event, frame, *more):
        if self.own(frame): self.seen.append([event, frame.f_code.co_name, frame.f_lineno, *more])
    def user_call(self, frame, arguments): self.note("call", frame)
    def user_line(self, frame): self.note("line", frame); self.set_step()
    def user_return(self, frame, value): self.note("return", frame)
    def user_exception(self, frame, error): self.note("exception", frame, error[0].__name__)

NAMES = {"numbers", "__init__", "__enter__", "__exit__", "deep", "work"}
@contextlib.contextmanager
def quietly(around=contextlib.nullcontext()):
    # What stands between is not counted: it is not in NAMES.
    with around: yield
made = {}
def make():
    backend = os.environ.get("BDB_BACKEND")
    return Debugger(backend=backend) if backend else Debugger()
def listen():
    made["debugger"] = make()
    made["debugger"].set_trace()
def stop():
    made["debugger"].set_quit()
    sys.settrace(None)
    with contextlib.suppress(AttributeError): made["debugger"].stop_trace()
    return made["debugger"].seen
"""
    + WORK
    + """
def main():
    try:
        tell(observe_in_mode())
    except bdb.BdbQuit:
        tell(made["debugger"].seen)
main()
"""
)

COVERAGE = (
    """
import coverage
@contextlib.contextmanager
def quietly(around=contextlib.nullcontext()):
    with around: yield
made = {}
def listen():
    made["coverage"] = coverage.Coverage(data_file=None, config_file=False, branch=BRANCH, include=[__file__])
    made["coverage"].start()
def stop():
    made["coverage"].stop()
    data = made["coverage"].get_data()
    names = {"numbers": numbers, "deep": deep, "work": work}
    last = max(function.__code__.co_firstlineno for function in names.values()) + 10
    first = numbers.__code__.co_firstlineno
    lines = sorted(line for line in data.lines(__file__) or [] if first <= line <= last)
    arcs = sorted(arc for arc in data.arcs(__file__) or [] if first <= abs(arc[0]) <= last and abs(arc[1]) <= last)
    return [lines, [list(arc) for arc in arcs], core()]
def core():
    return next(str(value) for name, value in made["coverage"].sys_info() if name == "core")
"""
    + WORK
    + "tell(observe_in_mode())\n"
)

BACKENDS = [None] + (["monitoring", "settrace"] if sys.version_info >= (3, 14) else [])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", MODES)
def test_a_debugger_steps_through_the_same_lines(under, mode, backend):
    env = {"BDB_BACKEND": backend} if backend else {}
    without, with_session = under(BDB, "none", env), under(BDB, mode, env)
    assert len(without["seen"]) > 60
    assert with_session["seen"] == without["seen"]
    says_so(with_session, mode)


CORES = ["ctrace"] + (["sysmon"] if sys.version_info >= (3, 12) else [])


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("mode", MODES)
def test_coverage_covers_the_same(under, mode, core, branch):
    if core == "sysmon" and branch and sys.version_info < (3, 14):
        pytest.skip("coverage measures branches by sys.monitoring from 3.14 on")
    source, env = COVERAGE.replace("BRANCH", str(branch)), {"COVERAGE_CORE": core}
    without, with_session = under(source, "none", env), under(source, mode, env)
    lines, arcs, used = without["seen"]
    assert len(lines) > 15 and bool(arcs) == branch and used.lower().startswith(("ctrac", "sysmon")), without["seen"]
    assert with_session["seen"] == without["seen"]
    says_so(with_session, mode)


def says_so(told, mode):
    """On 3.12 to 3.14 a listening tool keeps xray from muting threads, and the session says that; 3.15 never mutes."""
    if sys.version_info < (3, 12):
        assert told["mechanism"] == "eval_frame"
        return
    assert told["mechanism"] == "monitoring"
    if mode == "before" or sys.version_info >= (3, 15):
        assert "slowed down as well, because" in told["reason"], told
    else:
        assert any("began to listen in the middle" in note for note in told["notes"]), told


PDB = """
import io, pdb

def helper(n):
    doubled = n * 2
    return doubled

def work(n):
    total = helper(n)
    total += helper(total)
    return total

def debugged():
    said = io.StringIO()
    commands = "b helper\\nc\\np n\\nn\\np doubled\\nup\\np n\\nc\\np n\\ncl 1\\nr\\nc\\n"
    debugger = pdb.Pdb(stdin=io.StringIO(commands), stdout=said, nosigint=True, readrc=False)
    result = debugger.runcall(work, 5)
    sys.settrace(None)
    return [result, said.getvalue()]

if MODE == "none":
    tell([debugged(), debugged()])
elif MODE == "mid":
    with session():
        first = debugged()
        with xray.transaction("work"):
            second = debugged()
    tell([first, second])
"""


def test_pdb_has_the_same_dialogue(under):
    without, with_session = under(PDB, "none"), under(PDB, "mid")
    (result, dialogue), second = without["seen"]
    assert result == 30 and "-> doubled = n * 2" in dialogue and "(Pdb) 5" in dialogue, dialogue
    assert [second[0], with_session["seen"][1][0]] == [30, 30]
    assert with_session["seen"] == without["seen"]
