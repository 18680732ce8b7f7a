"""``xray.install`` in a process of its own."""

import os
import sys

import pytest


def test_importing_xray_changes_nothing(run):
    run("""
        import sys, threading
        before = set(sys.modules), list(sys.meta_path)
        import xray
        assert sys.meta_path == before[1]
        assert threading.active_count() == 1
        # What only reports and decorators need is not there yet.
        for heavy in "inspect json typing logging dataclasses pathlib sqlite3 xray.session xray.report".split():
            assert heavy not in set(sys.modules) - before[0], heavy
        for name in xray.__all__:
            assert getattr(xray, name) is not None
        try:
            xray.nothing
        except AttributeError:
            pass
    """)


def test_install_starts_no_thread_and_may_be_repeated(run):
    run("""
        import os, sys, threading
        import xray
        xray.install("one")
        finders = list(sys.meta_path)
        xray.install("two")
        xray.install()
        assert sys.meta_path == finders
        assert threading.active_count() == 1
        assert len(os.listdir("/proc/self/task")) == 1
    """)


def test_disabled_it_does_nothing(run):
    run(
        """
        import sys
        before = list(sys.meta_path)
        import xray
        xray.install()
        assert sys.meta_path == before
        with xray.transaction("off"):
            pass
        assert xray._xray.current() is None
        def app(environ, start_response): return []
        assert xray.wsgi(app)({}, None) == []
        try:
            xray.start_session("off")
        except RuntimeError as error:
            assert "XRAY_DISABLE" in str(error)
        else:
            raise AssertionError
        """,
        env={"XRAY_DISABLE": "1"},
    )


def test_zero_does_not_disable(run):
    run(
        "import xray, sys; xray.install(); assert sys.meta_path[0].__module__ == 'xray._import_hook'",
        env={"XRAY_DISABLE": "0"},
    )


def test_a_native_module_that_fails_does_not_end_the_application(run):
    finished = run("""
        import xray
        from xray import _install
        def configure(*arguments): raise OSError("a secret reason")
        _install._xray = type("Native", (), {"configure": staticmethod(configure)})
        xray.install()
        xray.install()
        print("lives")
    """)
    assert finished.stdout == "lives\n"
    assert finished.stderr.count("xray could not be installed") == 1


@pytest.mark.parametrize(
    "argv, env, name",
    [
        (["program.py"], {}, "program {cwd}"),
        (["program.py"], {"XRAY_APP": "shop"}, "shop"),
        (["-m", "tool"], {}, "tool {cwd}"),
        (["-m", "package"], {}, "package {cwd}"),
        (["-c", "import show"], {}, "python {cwd}"),
    ],
)
def test_the_name_of_the_application(tmp_path, argv, env, name):
    import subprocess

    show = "from xray._application import application_name; print(application_name(None))"
    (tmp_path / "show.py").write_text(show)
    (tmp_path / "program.py").write_text(show)
    (tmp_path / "tool.py").write_text(show)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text(show)
    finished = subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **env}, check=True
    )
    assert finished.stdout.strip() == name.format(cwd=tmp_path)


def test_a_name_in_the_code_goes_before_the_program():
    from xray._application import application_name

    assert application_name("shop") == "shop"


def test_after_a_fork_the_child_is_told(run):
    finished = run("""
        import os, sys
        from xray import _xray, _install
        told = []
        class Native:
            configure = staticmethod(lambda *a: None)
            shutdown = staticmethod(lambda: print("shutdown", flush=True))
            after_fork_in_child = staticmethod(lambda: told.append(os.getpid()))
        _install._xray = Native
        import xray
        xray.install()
        xray.install()
        child = os.fork()
        if child == 0:
            os._exit(0 if told == [os.getpid()] else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert told == []
    """)
    assert finished.stdout == "shutdown\n"
