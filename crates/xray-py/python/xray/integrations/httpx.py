"""Requests by ``httpx``, by its clients for threads and for event loops: a segment for each, its redirects within."""

from __future__ import annotations

from typing import Any

from xray.integrations._http import enter_request, status_of
from xray.integrations._segments import trace_calls
from xray.integrations._versions import require_version


def trace_requests() -> None:
    """Wrap ``send``, which all others call."""
    from httpx import AsyncClient, Client, __version__

    require_version("httpx", __version__, (0, 24), (0, 28))
    trace_calls(Client, "send", _enter, _outcome)
    trace_calls(AsyncClient, "send", _enter, _outcome)


def _enter(client: Any, request: Any, **options: Any) -> bool:
    # What the URL is made of, for its properties are functions that the application did not call.
    parts = request.url._uri_reference
    host = parts.host if parts.port is None else f"{parts.host}:{parts.port}"
    return enter_request(request.method, host, "httpx")


def _outcome(response: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return status_of(response.status_code)
