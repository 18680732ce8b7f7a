"""A served site, and sessions on it by the command line."""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load import Answer, Load, Route, read_routes
from paths import TAGBLOG
from server import Site

PYTHON = Path(sys.executable)
XRAY = PYTHON.with_name("xray")
APP = "end-to-end"
TAG_PAGE = "/tags/<tag>/"
PATIENCE_SECONDS = 30.0


@dataclasses.dataclass
class Blog:
    """The tag blog under two gunicorn workers."""

    site: Site
    directory: Path

    @property
    def routes(self) -> list[Route]:
        """All routes of the site."""
        return read_routes(TAGBLOG / "routes.json")

    def load(self, routes: list[Route] | None = None, **bounds: Any) -> list[Answer]:
        """Ask for routes (all by default) and wait for the answers."""
        return Load(self.site.port, routes or self.routes, **bounds).start().wait()

    def xray(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        argv = [str(argument) for argument in (XRAY, *arguments)]
        return subprocess.run(argv, env=self.site.environment, capture_output=True, text=True, timeout=120)

    def wait_for_agent(self) -> None:
        """Wait until an agent knows the tag page; it starts with a worker's first request."""
        self.wait_until(
            lambda: TAG_PAGE in self.xray("transactions", "--app", APP).stdout, "an agent knows the tag page"
        )

    def start_session(self, *options: str | Path, transaction: str = TAG_PAGE) -> str:
        """Start a session in the background; its id, once both workers record."""
        self.wait_for_agent()
        command = ["session", "start", "--app", APP, "--transaction", transaction, "--detach"]
        started = self.xray(*command, *options)
        assert started.returncode == 0, started.stderr
        self.wait_until(lambda: self.recording_workers() == 2, "both workers record")
        return started.stdout.strip()

    def recording_workers(self) -> int:
        """How many workers record."""
        done = self.xray("session", "status", "--app", APP, "--json")
        status = json.loads(done.stdout) if done.returncode == 0 else {}
        return int(status["processes"]) if status.get("state") == "recording" else 0

    def finish_session(self, session: str, file: Path) -> dict[str, Any]:
        """End the session, fetch its file, and give the report."""
        for command in (["session", "stop", session], ["session", "fetch", session, "-o", str(file)]):
            done = self.xray(*command)
            assert done.returncode == 0, done.stderr
        return self.report(file)

    def report(self, file: Path, *options: str) -> dict[str, Any]:
        """The JSON report of a file."""
        done = self.xray("report", file, "--format", "json", *options)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def access_lines(self, user_agent: str, suffix: str = "") -> list[list[str]]:
        """Words of the access log's lines for one client: status, microseconds, path, user agent."""
        log = self.site.access_log.with_name(self.site.access_log.name + suffix)
        lines = [line.split() for line in log.read_text().splitlines()]
        return [line for line in lines if line[-1] == user_agent]

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Ask again and again until ``condition`` holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s until {what}\n{self.site.log_tail()}"
            time.sleep(0.05)
