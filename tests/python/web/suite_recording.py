"""A pytest plugin for the suites of frameworks: a session records every request of the whole run."""

import os
from pathlib import Path

import xray

xray.install("suite")


def pytest_sessionstart(session):
    file = os.environ["SUITE_RECORDING"]
    session.config.xray_session = xray.start_session("*", share=1.0, max_overhead=1.0, minutes=30, path=file)


def pytest_sessionfinish(session):
    session.config.xray_session.stop()
    report = session.config.xray_session.wait()
    Path(os.environ["SUITE_RECORDING"]).with_suffix(".txt").write_text(str(report.requests.traced))
