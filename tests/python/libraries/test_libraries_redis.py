"""Redis commands and Django's caches: the operation, a hit or a miss, and each look into a cache once."""

import asyncio
import time

import pytest
import redis
import redis.asyncio
from tracebacks import own_frames

import xray

SECRET = "a-secret-key"


@pytest.fixture
def client(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


def test_commands(trace, client):
    def work():
        client.set(SECRET, 1)
        client.mset({"a": 1, "b": 2})
        found = [client.get(SECRET), client.get("nothing"), client.get("a"), client.hget("h", "field")]
        found += client.mget("a", "b"), client.mget("a", "nothing"), client.mget("nothing", "never")
        client.config_get("maxmemory")
        client.execute_command(f"GET {SECRET}")
        return found

    traced = trace(work)
    assert traced.result == [b"1", None, b"1", None, [b"1", b"2"], [b"1", None], [None, None]]
    counted = dict(traced.segments("cache"))
    assert counted == {
        "redis SET": 1,
        "redis MSET": 1,
        "redis GET": 4,
        "redis GET: hit": 3,
        "redis GET: miss": 1,
        "redis HGET": 1,
        "redis HGET: miss": 1,
        "redis MGET": 3,
        "redis MGET: hit": 1,
        "redis MGET: partial hit": 1,
        "redis MGET: miss": 1,
        "redis CONFIG GET": 1,
    }
    assert not any(SECRET in node.name or SECRET in (node.detail or "") for node in traced.trace.nodes)


@pytest.fixture(scope="module")
def cluster(redis_cluster_port):
    """The port of a cluster that serves all slots."""
    with redis.Redis(port=redis_cluster_port) as node:
        node.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + 60
        while node.cluster("info")["cluster_state"] != "ok":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return redis_cluster_port


CLUSTER = {"redis SET": 1, "redis GET": 2, "redis GET: hit": 1, "redis GET: miss": 1, "redis pipeline": 1}


def test_a_cluster(trace, cluster):
    with redis.RedisCluster(host="127.0.0.1", port=cluster) as client:

        def work():
            client.set(SECRET, 1)
            with client.pipeline() as pipeline:
                answers = pipeline.get(SECRET).incr(SECRET).execute()
            return client.get(SECRET), client.get("nothing"), answers

        traced = trace(work)
    assert traced.result == (b"2", None, [b"1", 2])
    assert dict(traced.segments("cache")) == CLUSTER
    assert not any(SECRET in node.name or SECRET in (node.detail or "") for node in traced.trace.nodes)


def test_a_cluster_on_an_event_loop(trace, cluster):
    async def work():
        async with redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster) as client:
            with xray.transaction("work"):
                return await use(client)

    async def use(client):
        await client.set(SECRET, 1)
        async with client.pipeline() as pipeline:
            answers = await pipeline.get(SECRET).incr(SECRET).execute()
        return await client.get(SECRET), await client.get("nothing"), answers

    traced = trace(work, in_loop=True)
    assert traced.result == (b"2", None, [b"1", 2])
    counted = dict(traced.segments("cache"))
    # It asks for the cluster's slots first.
    assert {name: counted.get(name) for name in CLUSTER} == CLUSTER, counted


def test_a_pipeline_is_one_segment(trace, client):
    def work():
        with client.pipeline() as pipeline:
            pipeline.set("a", 1).get("a").incr("a")
            answers = pipeline.execute()
            pipeline.watch("a")
            value = pipeline.get("a")
            pipeline.multi()
            pipeline.set("a", 5)
            return answers, value, pipeline.execute()

    traced = trace(work)
    assert traced.result == ([True, b"1", 2], b"2", [True])
    counted = dict(traced.segments("cache"))
    assert counted == {"redis pipeline": 2, "redis WATCH": 1, "redis GET": 1, "redis GET: hit": 1}


def test_an_error_passes_through(trace, client):
    client.set("text", "text")
    traced = trace(lambda: client.incr("text"))
    assert isinstance(traced.result, redis.ResponseError)
    assert own_frames(traced.result) == []
    assert [(node.name, node.errors) for node in traced.nodes("cache")] == [("redis INCRBY", 1)]


def test_commands_on_an_event_loop(trace, redis_server, client):
    async def main():
        async with redis.asyncio.Redis.from_url(redis_server.url) as client:
            await client.set("a", 1)
            found = await asyncio.gather(client.get("a"), client.get("nothing"), client.blpop("list", 0.05))
            async with client.pipeline() as pipeline:
                answers = await pipeline.get("a").get("nothing").execute()
            return found, answers

    traced = trace(lambda: asyncio.run(main()))
    assert traced.result == ([b"1", None, None], [b"1", None])
    counted = dict(traced.segments("cache"))
    for name, calls in {"SET": 1, "GET": 2, "GET: hit": 1, "GET: miss": 1, "BLPOP": 1, "pipeline": 1}.items():
        assert counted[f"redis {name}"] == calls


@pytest.fixture
def caches(redis_server, tmp_path, site):
    """Django's caches of several sorts."""
    from django.core.cache import CacheHandler

    locations = {
        "locmem.LocMemCache": "xray",
        "redis.RedisCache": redis_server.url,
        "filebased.FileBasedCache": tmp_path,
    }
    made = CacheHandler(
        {
            name.partition(".")[0]: {"BACKEND": f"django.core.cache.backends.{name}", "LOCATION": str(location)}
            for name, location in locations.items()
        }
    )
    yield made
    for cache in made.all(initialized_only=True):
        cache.clear()


@pytest.mark.parametrize("backend", ["locmem", "redis", "filebased"])
def test_a_look_into_djangos_cache_is_one_segment(trace, caches, backend):
    cache = caches[backend]

    def work():
        cache.set(SECRET, "value")
        cache.set_many({"a": 1, "b": 2})
        found = [cache.get(SECRET), cache.get("nothing"), cache.get("nothing", 5), cache.get(key="a")]
        found += cache.get_many(["a", "b"]), cache.get_many(["a", "nothing"]), cache.get_many(key for key in "ab")
        found += "a" in cache, cache.has_key("nothing"), cache.get_or_set("c", [7]), cache.incr("a"), cache.delete("a")
        return found

    traced = trace(work)
    both = {"a": 1, "b": 2}
    assert traced.result == ["value", None, 5, 1, both, {"a": 1}, both, True, False, [7], 2, True]
    counted = dict(traced.segments("cache"))
    # Of `get_or_set` there are two: before it sets, and after.
    assert (counted["cache get"], counted["cache get: hit"], counted["cache get: miss"]) == (6, 3, 3)
    assert (counted["cache get_many"], counted["cache get_many: hit"], counted["cache get_many: partial hit"]) == (
        3,
        1,
        1,
    )
    assert counted["cache incr"] == counted["cache delete"] == counted["cache set_many"] == 1
    assert not any(name.startswith("redis") for name in counted)
    assert not any(SECRET in node.name or SECRET in (node.detail or "") for node in traced.nodes("cache"))
    details = {node.detail for node in traced.nodes("cache") if node.detail}
    assert len(details) == 1 and f"backends.{backend}" in details.pop()


def test_a_backend_of_the_program(trace, caches):
    from django.core.cache import CacheHandler

    handler = CacheHandler({"mine": {"BACKEND": f"{__name__}.Mine"}})
    cache = handler["mine"]

    def work():
        return cache.get("key"), cache.get_many(["key", "other"])

    traced = trace(work)
    assert traced.result == ("mine", {"key": "mine", "other": "mine"})
    assert dict(traced.segments("cache")) == {
        "cache get": 1,
        "cache get: hit": 1,
        "cache get_many": 1,
        "cache get_many: hit": 1,
    }
    cache.fails = True
    assert own_frames(trace(lambda: cache.get("key")).result) == []


class Mine:
    """Derived from nothing."""

    fails = False

    def __init__(self, location, params):
        pass

    def get(self, key, default=None, version=None):
        if self.fails:
            raise KeyError(key)
        return "mine"

    def get_many(self, keys, version=None):
        return {key: self.get(key) for key in keys}

    def close(self):
        pass
