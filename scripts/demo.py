"""``make demo``: an X-Ray session on a real Django site under load, from an empty checkout to the report.

Leaves ``session.xr`` and ``session.html`` at the top of the checkout. Everything it starts ends with it. Environment:
``XRAY_DEMO_FAULT`` (0 to 5) plants a mistake in the tag page, ``XRAY_DEMO_SECONDS`` is the session's length (20),
``XRAY_DEMO_PORT`` the preferred port (8013), ``XRAY_PYTHONS`` the Python to use.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import server
import venvs
from load import Load, read_routes, table
from paths import BUILD, TAGBLOG, TOP
from processes import Processes

APP = "tagblog-demo"
TRANSACTION = "/tags/<tag>/"
CLIENTS = 3
AGENT_SECONDS = 30.0


class DemoFailed(Exception):
    """The demonstration cannot go on; the message says why."""


def wait_for_agent(xray: Path, env: dict[str, str]) -> None:
    """Wait until the agent of a worker, started by its first request, knows the transaction."""
    deadline = time.monotonic() + AGENT_SECONDS
    while True:
        known = subprocess.run([xray, "transactions", "--app", APP], env=env, capture_output=True, text=True)
        if known.returncode == 0 and TRANSACTION in known.stdout:
            return
        if time.monotonic() > deadline:
            raise DemoFailed(f"no agent answered within {AGENT_SECONDS:.0f} s: {known.stderr.strip()}")
        time.sleep(0.1)


def run_session(xray: Path, env: dict[str, str], seconds: str, file: Path) -> None:
    """The session itself, with its progress on this terminal."""
    start = [str(xray), "session", "start", "--app", APP, "--transaction", TRANSACTION, "--seconds", seconds]
    done = subprocess.run([*start, "-o", str(file), "--force"], env=env)
    if done.returncode not in (0, 1):
        raise DemoFailed(f"xray session start ended with exit code {done.returncode}")


def write_reports(xray: Path, env: dict[str, str], file: Path, page: Path) -> None:
    """The report on this terminal, and as a page."""
    report = [str(xray), "report", str(file)]
    for command in (report, [*report, "--html", str(page), "--force"]):
        if (code := subprocess.run(command, env=env).returncode) != 0:
            raise DemoFailed(f"{' '.join(command)} ended with exit code {code}")


def demonstrate(processes: Processes, python: Path, directory: Path) -> None:
    """Serve, load, record, report."""
    xray = python.parent / "xray"
    database = BUILD / "demo" / "blog.sqlite3"
    server.load_data(python, database)
    # Sockets of its own: a demonstration neither sees nor disturbs other applications of this user.
    env = server.environment(database, {"XRAY_SOCKET_DIR": str(directory / "xray")})
    port = int(os.environ.get("XRAY_DEMO_PORT", "8013"))
    site = server.start(processes, python, directory, env, workers=2, xray_app=APP, port=port)
    print(f"the site answers on http://127.0.0.1:{site.port}/", flush=True)
    load = Load(site.port, read_routes(TAGBLOG / "routes.json"), concurrency=CLIENTS).start()
    try:
        wait_for_agent(xray, env)
        run_session(xray, env, os.environ.get("XRAY_DEMO_SECONDS", "20"), TOP / "session.xr")
    finally:
        load.stop()
    answers = load.wait()
    print(f"\nWhat the clients saw:\n{table(answers)}\n", flush=True)
    failed = [answer for answer in answers if not answer.ok]
    if failed:
        counts = f"{len(failed)} of {len(answers)} requests failed"
        raise DemoFailed(f"{counts}, the first one: {failed[0]}\n{site.log_tail()}")
    processes.stop()
    write_reports(xray, env, TOP / "session.xr", TOP / "session.html")


def main() -> int:
    """Set up, demonstrate, clean up."""
    with Processes() as processes:
        (interpreter,) = venvs.prepared_or_exit(["demo"], only_first=True)
        python = venvs.python_of(venvs.venv_of(interpreter))
        directory = Path(tempfile.mkdtemp(prefix="xray-demo-"))
        try:
            demonstrate(processes, python, directory)
        except (DemoFailed, server.NotReady, subprocess.CalledProcessError, OSError) as error:
            print(f"make demo: {error}", file=sys.stderr)
            return 1
        finally:
            processes.stop()
            shutil.rmtree(directory, ignore_errors=True)
    print("\nleft here: session.xr (xray report session.xr) and session.html (open it in a browser)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
