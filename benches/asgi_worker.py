"""One process that sends requests to an ASGI application of its own, Starlette's, called without a network.

Started by ``asgi.py`` with a mode, as ``worker.py`` is; it answers ``run PATH COUNT``.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from peer_agents import ASGI_AGENTS
from worker import start_installed, start_untraced

#: Requests before the first answer.
WARM_UP = 200
MODES: dict[str, Callable[[], Callable[[], None]]] = {
    "untraced": start_untraced,
    "installed": start_installed,
    **ASGI_AGENTS,
}


def application() -> Any:
    """As small as an application of a framework is: a route with a parameter, an answer in words."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def item(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["item"])

    return Starlette(routes=[Route("/items/{item}", item)])


async def receive() -> MutableMapping[str, Any]:
    """A request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def run(app: Any, path: str, count: int) -> dict[str, int]:
    """CPU and wall time of ``count`` requests; all are answered with 200."""
    statuses: list[int] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    for _ in range(count):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        # Servers answer each request in a task of its own.
        await asyncio.create_task(app(scope, receive, send))
    spent = {"cpu_ns": time.process_time_ns() - cpu, "wall_ns": time.perf_counter_ns() - wall}
    if statuses != [200] * count:
        raise RuntimeError(f"{path} answered {set(statuses)}")
    return spent


def main() -> None:
    """Serve commands until the input ends."""
    mode = sys.argv[1]
    MODES[mode]()
    app = application()
    with asyncio.Runner() as runner:
        runner.run(run(app, "/items/7", WARM_UP))
        print(json.dumps({"ready": mode}), flush=True)
        for line in sys.stdin:
            _, path, count = line.split()
            print(json.dumps(runner.run(run(app, path, int(count)))), flush=True)


if __name__ == "__main__":
    main()
