"""Frameworks and servers of a version that xray does not know are left as they are, with one line in the log."""

import pytest

#: How a library says its version, and what nothing may stand in for: `module:name`, the parts of a name apart.
LIBRARIES = {
    "asgiref": ("asgiref.__version__ = VERSION", ["asgiref.sync:_restore_context"]),
    "Celery": ("celery.__version__ = VERSION", ["celery.app.trace:build_tracer", "celery.app.amqp:AMQP.as_task_v2"]),
    "Django": (
        "django.VERSION = NUMBERS",
        ["django.core.handlers.wsgi:WSGIHandler.__call__", "django.core.handlers.asgi:ASGIHandler.__call__"],
    ),
    "Flask": ("importlib.metadata.version = lambda name: VERSION", ["flask.app:Flask.__call__"]),
    "FastAPI": ("fastapi.__version__ = VERSION", ["fastapi.applications:FastAPI.__call__"]),
    "gunicorn": ("gunicorn.__version__ = VERSION", ["gunicorn.app.base:BaseApplication.wsgi"]),
    "Hypercorn": ("importlib.metadata.version = lambda name: VERSION", ["hypercorn.app_wrappers:ASGIWrapper.__init__"]),
    "Starlette": (
        "starlette.__version__ = VERSION",
        ["starlette.applications:Starlette.__call__", "starlette.background:BackgroundTask.__call__"],
    ),
    "uvicorn": ("uvicorn.__version__ = VERSION", ["uvicorn.config:Config.load"]),
}
#: Older and newer than any that it knows, and none.
VERSIONS = ["0.0.1", "99.1", "unknown"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_an_unknown_version_is_left_alone_with_one_line(run, library, version):
    says, functions = LIBRARIES[library]
    numbers = tuple(int(part) for part in version.split(".")) if "." in version else (0, 0)
    finished = run(f"""
        import importlib, importlib.metadata
        import {library.lower()}
        VERSION, NUMBERS = {version!r}, {numbers!r}
        {says}
        import xray
        xray.install()
        for function in {functions!r}:
            module, _, name = function.partition(":")
            found = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            assert not type(found).__module__.startswith("xray"), function
            assert not found.__code__.co_filename.startswith(xray.__path__[0]), function
        xray.install()
    """)
    lines = [line for line in finished.stderr.splitlines() if f"{library} " in line]
    assert len(lines) == 1, finished.stderr
    assert "is not a version this xray knows: its integration is off" in lines[0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_left_alone_is_stood_in_for_else(run, library):
    _, functions = LIBRARIES[library]
    run(f"""
        import importlib
        import xray
        xray.install()
        for function in {functions!r}:
            module, _, name = function.partition(":")
            found = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            # In C terms, or a function of Python.
            native = type(found).__module__.startswith("xray")
            assert native or found.__code__.co_filename.startswith(xray.__path__[0]), function
    """)
