"""Fifty requests at once to three endpoints on one loop, one recorded: its traces have nothing of the others."""

import json
import re

import pytest
from test_web_servers import UVICORN

AT_ONCE = 50
ROUNDS = 4
ALPHA = ("alpha", "alpha_inner", "alpha_leaf", "alpha_in_thread")
#: Functions and tables of the others.
FOREIGN = re.compile(r"\b(beta|gamma)")


def paths(first):
    """Requests to the three endpoints, interleaved."""
    each = []
    for number in range(first, first + AT_ONCE):
        n = 3 + number % 5
        each.append((f"/alpha/{n}?id={number}", f"/beta/{n}", f"/gamma/{n}")[number % 3])
    return each


def calls(nodes, function):
    """How often a function was called."""
    return sum(node["calls"] for node in nodes if node["name"] == function)


@pytest.mark.matrix
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_fifty_at_once(serve, tmp_path, loop):
    argv = [*UVICORN, "--loop", loop, "concurrentapp:app"]
    plain, served = serve(argv, agent=False), serve(argv)
    expected = plain.ask_at_once(paths(0), clients=AT_ONCE)
    assert served.ask_at_once(paths(0), clients=AT_ONCE) == expected

    answers = []

    def work():
        rounds = range(AT_ONCE, (ROUNDS + 1) * AT_ONCE, AT_ONCE)
        answers.extend(served.ask_at_once(paths(first), clients=AT_ONCE) for first in rounds)

    file = tmp_path / "s.xr"
    report = served.record("/alpha/{n}", file, work)
    for number, answer in enumerate(answers, 1):
        assert answer == plain.ask_at_once(paths(number * AT_ONCE), clients=AT_ONCE)

    asked = [path for number in range(1, ROUNDS + 1) for path in paths(number * AT_ONCE) if path.startswith("/alpha")]
    requests = report["requests"]
    assert requests["matched"] == len(asked), requests
    assert requests["traced"] == len(report["traces"]) >= 16, requests
    # What an endpoint calls depends on its number alone.
    oracle = {}
    told = json.loads(served.ask("/oracle")[2])
    for path in asked:
        _, _, n, number = re.split(r"[/?]", path)
        oracle[n] = told[number.removeprefix("id=")] | {"alpha": 1}
    for trace in report["traces"]:
        nodes = served.trace(file, trace["id"])["nodes"]
        assert [node["name"] for node in nodes if FOREIGN.search(node["name"] or "")] == []
        assert {name: calls(nodes, name) for name in ALPHA} == oracle[trace["attributes"]["path"].split("/")[2]]
        statements = [node["name"] for node in nodes if node["kind"] == "sql"]
        assert statements and all(re.search(r"\b(alpha|sessions)\b", statement) for statement in statements)


@pytest.mark.matrix
def test_samples_of_the_target_have_nothing_of_the_others(serve, tmp_path):
    served = serve([*UVICORN, "--loop", "asyncio", "concurrentapp:app"])
    served.ask_at_once(paths(0), clients=AT_ONCE)
    file = tmp_path / "s.xr"
    served.record("/alpha/{n}", file, lambda: served.ask_at_once(paths(AT_ONCE) * ROUNDS, clients=AT_ONCE))
    samples = json.loads(served.xray("report", str(file), "--tree", "samples", "--format", "json"))["nodes"]
    target = [node["name"] for node in samples if node["thread_kind"] == "target"]
    assert target
    assert [name for name in target if FOREIGN.search(name)] == []
