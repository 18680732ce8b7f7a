"""Redis commands, on threads and on event loops: ``redis GET``, and a hit or a miss below it.

Keys and values stay out: they carry what users typed.
"""

from __future__ import annotations

from typing import Any

from xray._xray import SEGMENT_CACHE, enter_segment
from xray.integrations._cache import found, found_all
from xray.integrations._segments import nothing_more, trace_calls
from xray.integrations._versions import require_version

#: Commands whose first word says too little.
_OF_TWO_WORDS = frozenset(
    "ACL CLIENT CLUSTER COMMAND CONFIG FUNCTION LATENCY MEMORY MODULE OBJECT PUBSUB SCRIPT SLOWLOG XGROUP XINFO".split()
)
#: Commands that answer nothing when there is nothing, and those that do so key by key.
_READING = frozenset("GET GETDEL GETEX HGET JSON.GET LINDEX LPOP RPOP ZSCORE".split())
_READING_MANY = frozenset(("MGET", "HMGET"))


def trace_commands() -> None:
    """Wrap what sends a command, or the commands of a pipeline, and waits for the answer."""
    import redis
    import redis.asyncio.client
    import redis.asyncio.cluster
    import redis.client
    import redis.cluster

    require_version("redis", redis.__version__, (4, 5), (8,))
    for client in redis.client, redis.asyncio.client:
        trace_calls(client.Redis, "execute_command", _enter, _outcome)
        trace_calls(client.Pipeline, "immediate_execute_command", _enter, _outcome)
        trace_calls(client.Pipeline, "execute", _enter_pipeline, nothing_more)
    for cluster in redis.cluster, redis.asyncio.cluster:
        trace_calls(cluster.RedisCluster, "execute_command", _enter, _outcome)
        trace_calls(cluster.ClusterPipeline, "execute", _enter_pipeline, nothing_more)


def _enter(client: Any, *args: Any, **options: Any) -> bool:
    return enter_segment(SEGMENT_CACHE, f"redis {_command(args)}")


def _enter_pipeline(pipeline: Any, *args: Any, **options: Any) -> bool:
    return enter_segment(SEGMENT_CACHE, "redis pipeline")


def _command(args: tuple[Any, ...]) -> str:
    """The words of the command; a program may give it with its arguments in one text."""
    given = args[0]
    words = (given.decode("latin-1") if isinstance(given, bytes) else given).upper().split(None, 2)
    return " ".join(words[: 2 if words[0] in _OF_TWO_WORDS else 1])


def _outcome(result: Any, client: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    command = _command(args)
    if command in _READING:
        return found(result is not None)
    if command in _READING_MANY and isinstance(result, list):
        return found_all(sum(value is not None for value in result), len(result))
    return nothing_more(result)
