"""requests, urllib3 and httpx: one segment for each request, its status, and nothing changed."""

import asyncio
import inspect
import time

import httpx
import pytest
import requests
import urllib3
from tracebacks import own_frames


def get_by_requests(url, **options):
    return requests.get(url, timeout=10, **options).status_code


def get_by_urllib3(url, **options):
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request("GET", url, timeout=10, **options).status


def get_by_httpx(url, **options):
    with httpx.Client(trust_env=False) as client:
        return client.get(url, timeout=10, **options).status_code


def get_by_httpx_async(url, **options):
    async def get():
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url, timeout=10, **options)).status_code

    return asyncio.run(get())


CLIENTS = [get_by_requests, get_by_urllib3, get_by_httpx, get_by_httpx_async]


@pytest.mark.parametrize("get", CLIENTS)
def test_a_request_is_one_segment_with_its_status(trace, http_server, get):
    def work():
        return [get(f"http://{http_server}/status/{status}?q=secret") for status in (200, 404, 200)]

    traced = trace(work)
    assert traced.result == [200, 404, 200]
    name = f"GET {http_server}"
    assert sorted(traced.segments("external")) == [(name, 3), (f"{name}: 200", 2), (f"{name}: 404", 1)]
    assert not any("secret" in node.name or "secret" in (node.detail or "") for node in traced.nodes("external"))
    assert all(node.errors == 0 for node in traced.nodes("external"))


@pytest.mark.parametrize("method", ["POST", "HEAD", "head", "PROPFIND"])
def test_methods(trace, http_server, method):
    traced = trace(lambda: requests.request(method, f"http://{http_server}/status/200", timeout=10).status_code)
    name = {"PROPFIND": "OTHER"}.get(method, method.upper())
    assert traced.segments("external")[0] == (f"{name} {http_server}", 1)


@pytest.mark.parametrize(
    "get, options",
    [
        (get_by_requests, {}),
        (get_by_httpx, {"follow_redirects": True}),
        (get_by_httpx_async, {"follow_redirects": True}),
    ],
)
def test_redirects_belong_to_their_request(trace, http_server, get, options):
    traced = trace(lambda: get(f"http://{http_server}/redirect/3", **options))
    assert traced.result == 200
    assert traced.segments("external") == [(f"GET {http_server}", 1), (f"GET {http_server}: 200", 1)]


@pytest.mark.parametrize("get", CLIENTS)
def test_an_error_passes_through(trace, get):
    url = "http://user:password@127.0.0.1:9/status/200"
    try:
        get(url)
    except Exception as error:
        expected = error
    traced = trace(lambda: get(url))
    error = traced.result
    assert type(error) is type(expected)
    assert own_frames(error) == []
    segments = traced.nodes("external")
    assert [(node.name, node.calls, node.errors) for node in segments] == [("GET 127.0.0.1:9", 1, 1)]


def test_requests_on_one_event_loop_are_timed_each_in_its_own_context(trace, http_server):
    async def delayed(client, seconds):
        await asyncio.sleep(seconds)
        return (await client.get(f"http://{http_server}/status/200")).status_code

    async def gather():
        async with httpx.AsyncClient(trust_env=False) as client:
            return await asyncio.gather(*(delayed(client, seconds / 100) for seconds in range(5)))

    traced = trace(lambda: asyncio.run(gather()))
    assert traced.result == [200] * 5
    assert sorted(traced.segments("external")) == [(f"GET {http_server}", 5), (f"GET {http_server}: 200", 5)]


def test_nothing_of_the_client_stays_open(trace, http_server):
    def work():
        get_by_requests(f"http://{http_server}/status/200")
        after()

    def after():
        time.sleep(0)

    traced = trace(work)
    assert traced.path(next(node for node in traced.trace.nodes if node.name.endswith("after")))[-2].endswith("work")


def test_functions_look_as_ever(trace):
    for function in requests.Session.send, httpx.Client.send, httpx.AsyncClient.send:
        assert inspect.isfunction(function)
        assert function.__wrapped__ is not function
        assert inspect.signature(function) == inspect.signature(function.__wrapped__)
    assert inspect.iscoroutinefunction(httpx.AsyncClient.send)
    assert not inspect.iscoroutinefunction(httpx.Client.send)
