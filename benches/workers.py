"""The benchmarks' side of :mod:`worker` and :mod:`asgi_worker`: starts the processes, asks them in turn."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


class Worker:
    """One process in one mode."""

    def __init__(self, mode: str, database: Path, directory: str, script: str) -> None:
        self.mode = mode
        env = dict(os.environ) | {
            "TAGBLOG_DB": str(database),
            "XRAY_BENCH_DIR": directory,
            "XRAY_SOCKET_DIR": str(Path(directory) / mode),  # each mode is an application of its own
            "PYTHONHASHSEED": "0",
            "XRAY_DEMO_FAULT": "0",
        }
        argv = [sys.executable, str(HERE / script), mode]
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def ask(self, command: str) -> Any:
        """The answer to one command.

        :raises RuntimeError: the process ended.
        """
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker in mode {self.mode} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class Workers:
    """One process for each mode, alive together so that they can be asked in turn."""

    def __init__(self, modes: list[str], database: Path, script: str = "worker.py") -> None:
        self.modes, self.database, self.script = modes, database, script
        self.directory = tempfile.TemporaryDirectory(prefix="xray-bench-")
        self.all: list[Worker] = []

    def __enter__(self) -> list[Worker]:
        try:
            for mode in self.modes:
                self.all.append(Worker(mode, self.database, self.directory.name, self.script))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self.all

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self.all:
            worker.close()
        self.directory.cleanup()


def on_one_core() -> None:
    """Keep this process, and those that it starts, on one core, where they run in turn.

    On a machine that others share, its cores differ by more than xray costs, and processes stay where they are. Not for
    what has threads that work beside the requests.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def processor() -> str:
    """The processor's name, for the reader of a table."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def write(name: str, result: dict[str, Any]) -> Path:
    """Write raw results with what they were measured on."""
    python = ".".join(map(str, sys.version_info[:3]))
    file = RESULTS / f"{name}-py{sys.version_info.major}.{sys.version_info.minor}.json"
    RESULTS.mkdir(exist_ok=True)
    about = {"python": python, "processor": processor(), "cpus": os.cpu_count()}
    file.write_text(json.dumps(about | result, indent=1) + "\n")
    return file
