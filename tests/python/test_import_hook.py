"""Integrations are applied when their libraries are imported, and nobody notices."""

import importlib
import sys
import traceback
import types

import pytest

from xray import _import_hook


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Makes modules that can be imported, forgotten afterwards; and a finder of the test's own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_import_hook, "_finder", _import_hook._Finder())
    monkeypatch.setattr(_import_hook, "_watched", set())
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    names = []

    def make(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        names.append(name)
        importlib.invalidate_caches()

    yield make
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def applied(monkeypatch):
    """Which targets were applied."""
    applied = []
    integration = types.ModuleType("xray.integrations.probe")
    integration.one = lambda: applied.append("one")
    integration.two = lambda: applied.append("two")

    def fails():
        raise RuntimeError("an error of xray")

    def steps_aside():
        raise _import_hook.Unsupported("Probe 9.9 is not a version this xray knows")

    integration.fails = fails
    integration.steps_aside = steps_aside
    monkeypatch.setitem(sys.modules, "xray.integrations.probe", integration)
    return applied


def own_finders():
    return [finder for finder in sys.meta_path if finder is _import_hook._finder]


def test_applied_at_import_and_gone_when_all_are(library, applied):
    library("lib_one", "x = 1")
    library("lib_two", "x = 2")
    _import_hook.watch({"lib_one": "probe:one", "lib_two": "probe:two"})
    assert sys.meta_path[0] is _import_hook._finder
    assert applied == []
    module = importlib.import_module("lib_one")
    assert (applied, module.x) == (["one"], 1)
    assert own_finders()
    importlib.import_module("lib_two")
    assert applied == ["one", "two"]
    assert not own_finders()


def test_applied_at_once_when_it_is_loaded(library, applied):
    library("lib_loaded", "x = 1")
    importlib.import_module("lib_loaded")
    _import_hook.watch({"lib_loaded": "probe:one"})
    assert applied == ["one"]
    assert not own_finders()


def test_applied_once_however_often_it_is_watched(library, applied):
    library("lib_once", "x = 1")
    _import_hook.watch({"lib_once": "probe:one"})
    _import_hook.watch({"lib_once": "probe:one"})
    assert len(own_finders()) == 1
    importlib.import_module("lib_once")
    importlib.reload(sys.modules["lib_once"])
    _import_hook.watch({"lib_once": "probe:one"})
    assert applied == ["one"]


def test_asked_for_while_it_is_being_imported(library, applied):
    library("lib_half", "from xray import _import_hook\n_import_hook.watch({'lib_half': 'probe:one'})\ndone = True")
    library("lib_next", "")
    importlib.import_module("lib_half")
    assert applied == []
    importlib.import_module("lib_next")
    assert applied == ["one"]
    assert not own_finders()


def test_the_module_and_its_loader_are_as_ever(library, applied):
    library("lib_same", "x = 1")
    _import_hook.watch({"lib_same": "probe:one"})
    module = importlib.import_module("lib_same")
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert module.__spec__.loader is module.__loader__
    assert "exec_module" not in vars(module.__loader__)


def formatted(name):
    with pytest.raises(BaseException) as raised:
        importlib.import_module(name)
    lines = traceback.format_exception(raised.value)
    # The first entries are those of this test and of importlib.import_module.
    return "".join(lines[-3:]), [line for line in lines if "/_import_hook.py" in line]


@pytest.mark.parametrize("source", ["raise ValueError('no')", "import lib_that_is_not", "def f(:\n pass"])
def test_a_module_that_fails_fails_with_its_own_traceback(library, applied, source):
    library("lib_fails", source)
    without = formatted("lib_fails")
    _import_hook.watch({"lib_fails": "probe:one"})
    assert formatted("lib_fails") == (without[0], [])
    assert applied == []


def test_it_may_fail_first_and_succeed_later(library, applied):
    library("lib_later", "raise ValueError")
    _import_hook.watch({"lib_later": "probe:one"})
    with pytest.raises(ValueError):
        importlib.import_module("lib_later")
    library("lib_later", "x = 12345")
    importlib.import_module("lib_later")
    assert applied == ["one"]


def test_a_module_that_is_not_there(library, applied):
    _import_hook.watch({"lib_not_there": "probe:one"})
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module("lib_not_there")
    assert raised.value.name == "lib_not_there"


def test_a_finder_that_fails(library, applied):
    class Fails:
        def find_spec(self, name, path=None, target=None):
            raise ImportError(f"not {name}")

    _import_hook.watch({"lib_found_not": "probe:one"})
    sys.meta_path.insert(1, Fails())
    assert formatted("lib_found_not")[1] == []


def test_loaders_that_cannot_be_hooked(library, applied, caplog):
    class Shared:
        @classmethod
        def create_module(cls, spec):
            return None

        @classmethod
        def exec_module(cls, module):
            module.x = 3

        @classmethod
        def find_spec(cls, name, path=None, target=None):
            return importlib.machinery.ModuleSpec(name, cls) if name == "lib_shared" else None

    sys.meta_path.insert(0, Shared)
    _import_hook.watch({"lib_shared": "probe:one"})
    assert importlib.import_module("lib_shared").x == 3
    assert applied == []
    assert "lib_shared" in caplog.text
    del sys.modules["lib_shared"]


def test_an_integration_that_fails_is_logged_once_and_nobody_else_knows(library, applied, caplog):
    library("lib_a", "x = 1")
    library("lib_b", "x = 2")
    _import_hook.watch({"lib_a": "probe:fails", "lib_b": "probe:steps_aside"})
    assert importlib.import_module("lib_a").x == 1
    assert importlib.import_module("lib_b").x == 2
    assert [(record.name, record.levelname) for record in caplog.records] == [("xray", "WARNING")] * 2
    assert "Probe 9.9 is not a version this xray knows" in caplog.text


def test_finding_a_module_without_importing_it(library, applied):
    library("lib_asked", "x = 1")
    _import_hook.watch({"lib_asked": "probe:one"})
    assert importlib.util.find_spec("lib_asked").origin.endswith("lib_asked.py")
    assert importlib.util.find_spec("lib_asked_not") is None
    importlib.import_module("lib_asked")
    assert applied == ["one"]
