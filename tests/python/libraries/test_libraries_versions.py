"""Integrations come with their library and not before, and step aside for versions that they do not know."""

import pytest

#: Import name -> where its version is; the others read it in the same way.
VERSIONS = {
    "asyncpg": "asyncpg._version:__version__",
    "httpx": "httpx:__version__",
    "jinja2": "jinja2:__version__",
    "psycopg": "psycopg:__version__",
    "psycopg2": "psycopg2:__version__",
    "redis": "redis:__version__",
    "requests": "requests:__version__",
    "sqlalchemy": "sqlalchemy:__version__",
    "urllib3": "urllib3:__version__",
}


def test_nothing_is_imported_before_the_application_imports_it(run):
    run(f"""
        import sys
        import xray
        xray.install()
        for name in {sorted(VERSIONS)}:
            assert name not in sys.modules, name
            assert f"xray.integrations.{{name}}" not in sys.modules, name
        import redis
        assert "xray.integrations.redis" in sys.modules
        assert "xray.integrations.requests" not in sys.modules
    """)


@pytest.mark.parametrize("library", sorted(VERSIONS))
def test_known_versions_are_followed_without_a_word(run, library):
    finished = run(f"""
        import xray
        xray.install()
        import {library}
    """)
    assert finished.stderr == ""


@pytest.mark.parametrize("version", ["99.1", "unknown"])
@pytest.mark.parametrize("library", sorted(VERSIONS))
def test_an_unknown_version_is_left_alone_with_one_line(run, library, version):
    module, attribute = VERSIONS[library].split(":")
    finished = run(f"""
        import gc, importlib, sys
        import {library}, {module}
        {module}.{attribute} = {version!r}
        import xray
        from xray import _xray
        xray.install()
        xray.install()
        kind = type(_xray.wrap_function(lambda: None, lambda: None))
        wrapped = [o for o in gc.get_objects() if type(o) is kind and o.__module__.partition(".")[0] == {library!r}]
        assert not wrapped, wrapped
    """)
    lines = [line for line in finished.stderr.splitlines() if library in line.lower()]
    assert len(lines) == 1, finished.stderr
    assert "is not a version this xray knows: its integration is off" in lines[0]
