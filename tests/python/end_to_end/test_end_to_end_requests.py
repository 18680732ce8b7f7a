"""What a session says about requests is what gunicorn says; and it changes nothing about their answers."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import gunicorn_times
import pytest
from load import Answer, Route
from served_blog import Blog

TAG_ROUTE = "/tags/"
EVERY_TRANSACTION = "re:."
#: Every matching request is traced and kept: what costs most, and what is compared with the log.
EVERYTHING = ("--share", "1", "--max-overhead", "1", "--seconds", "600")


def matching_ns(lines: list[list[str]]) -> list[float]:
    """Durations of the tag page. The one for an unknown tag has the same route: it matches, and is a 404."""
    return [int(us) * 1e3 for _, us, path, _ in lines if path.startswith(TAG_ROUTE) and len(path) > len(TAG_ROUTE)]


def nearest_rank(values: Sequence[float], percentile: float) -> float:
    """The percentile as histograms define it: the value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percentile / 100) - 1)]


@pytest.mark.matrix
def test_counts_and_latency_are_those_of_the_access_log(serve: Callable[..., Blog], tmp_path: Path) -> None:
    blog = serve(options=("--config", gunicorn_times.__file__))
    blog.load(requests=60, user_agent="warm-up")
    session = blog.start_session(*EVERYTHING)
    answers = blog.load(requests=600, concurrency=2, user_agent="counted")
    report = blog.finish_session(session, tmp_path / "session.xr")

    assert all(answer.ok for answer in answers)
    lines = blog.access_lines("counted")
    assert len(lines) == len(answers) == 600
    requests = report["requests"]
    assert requests["matched"] == requests["traced"] + requests["control"]
    assert requests["matched"] + requests["other"] == len(lines)
    logged = matching_ns(lines)
    assert requests["matched"] == len(logged)

    # From the call of the application to the close of its response: not less than the log says, which leaves the close
    # out, and not more than the server took with it. On a quiet machine the two hardly differ.
    whole = matching_ns(blog.access_lines("counted", gunicorn_times.SUFFIX))
    assert len(whole) == len(logged)
    latency = report["latency"]["all"]
    for key, percentile in (("p50_ns", 50), ("p95_ns", 95), ("max_ns", 100)):
        least, most = nearest_rank(logged, percentile), nearest_rank(whole, percentile)
        assert least * 0.98 - 0.5e6 <= latency[key] <= most * 1.02 + 0.5e6, (key, least, most)


def key(answer: Answer) -> tuple[object, ...]:
    """What must not depend on xray."""
    return answer.number, answer.path, answer.status, answer.body, answer.headers


def compare(serve: Callable[..., Blog], tmp_path: Path, routes: list[Route], requests: int) -> None:
    plain = serve(with_xray=False).load(routes, requests=requests, seed=7)
    blog = serve()
    idle = blog.load(routes, requests=requests, seed=7)
    session = blog.start_session(*EVERYTHING, transaction=EVERY_TRANSACTION)
    traced = blog.load(routes, requests=requests, seed=7)
    report = blog.finish_session(session, tmp_path / "session.xr")
    assert report["requests"]["matched"] == report["requests"]["traced"] == requests
    assert all(answer.ok for answer in plain)
    assert list(map(key, idle)) == list(map(key, plain))
    assert list(map(key, traced)) == list(map(key, plain))


def test_answers_are_those_of_a_site_without_xray(serve: Callable[..., Blog], tmp_path: Path) -> None:
    routes = serve(with_xray=False).routes
    even = [Route(route.name, route.path, 1, route.status, route.values) for route in routes]
    compare(serve, tmp_path, even, 350)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_five_thousand_answers_of_each_route(serve: Callable[..., Blog], tmp_path: Path) -> None:
    for number, route in enumerate(serve(with_xray=False).routes):
        directory = tmp_path / str(number)
        directory.mkdir()
        compare(serve, directory, [route], 5000)
