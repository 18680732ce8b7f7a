"""A real site under gunicorn, with and without xray."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import server
from processes import Processes
from served_blog import APP, PYTHON, Blog


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's data."""
    file = tmp_path_factory.mktemp("data") / "blog.sqlite3"
    server.load_data(PYTHON, file)
    return file


@pytest.fixture
def serve(database: Path, tmp_path: Path) -> Iterator[Callable[..., Blog]]:
    """Starts sites, and ends them with the test."""
    # Paths of sockets are short: not below tmp_path.
    with tempfile.TemporaryDirectory(prefix="xray-") as sockets, Processes() as processes:
        count = 0

        def start(*, fault: int = 0, with_xray: bool = True, options: tuple[str, ...] = ()) -> Blog:
            nonlocal count
            count += 1
            directory = tmp_path / f"site{count}"
            directory.mkdir()
            extra = {"XRAY_DEMO_FAULT": str(fault), "XRAY_SOCKET_DIR": f"{sockets}/{count}"}
            env = server.environment(database, extra)
            app = APP if with_xray else None
            site = server.start(processes, PYTHON, directory, env, workers=2, xray_app=app, options=options)
            return Blog(site, directory)

        yield start
