"""gunicorn's configuration of a test: writes how long each request took, with the closing of its response.

The access log's ``%(D)s`` ends before ``close()`` of the response, which belongs to the transaction: a worker that
loses its core there, as happens on a busy machine when the client gets its answer, takes longer than the log says.
"""

import time
from pathlib import Path
from typing import Any

#: What is appended to the name of the access log.
SUFFIX = ".whole"


def pre_request(worker: Any, req: Any) -> None:
    """Called before the application is."""
    worker.began_ns = time.perf_counter_ns()


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    """Called after the response was closed: a line of microseconds, path and user agent, as in the access log."""
    microseconds = (time.perf_counter_ns() - worker.began_ns) // 1000
    agent = environ.get("HTTP_USER_AGENT")
    with Path(worker.cfg.accesslog + SUFFIX).open("a") as file:
        file.write(f"{resp.status_code} {microseconds} {req.path} {agent}\n")
