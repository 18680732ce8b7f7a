"""Requests by ``urllib3``, where no other client made them."""

from __future__ import annotations

from typing import Any

from xray.integrations._http import enter_request, status_of
from xray.integrations._segments import trace_calls
from xray.integrations._versions import require_version

_DEFAULT_PORTS = {"http": 80, "https": 443}


def trace_requests() -> None:
    """Wrap ``HTTPConnectionPool.urlopen``; it calls itself for retries and redirects."""
    from urllib3 import __version__
    from urllib3.connectionpool import HTTPConnectionPool

    require_version("urllib3", __version__, (1, 26), (2,))
    trace_calls(HTTPConnectionPool, "urlopen", _enter, _outcome)


def _enter(pool: Any, method: Any, url: Any, *args: Any, **options: Any) -> bool:
    port = pool.port
    host = pool.host if port in (None, _DEFAULT_PORTS.get(pool.scheme)) else f"{pool.host}:{port}"
    return enter_request(method, host, "urllib3")


def _outcome(response: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return status_of(response.status)
