"""Requests by ``requests``: a segment for each, its redirects within."""

from __future__ import annotations

from typing import Any

from xray.integrations._http import enter_request, host_of, status_of
from xray.integrations._segments import trace_calls
from xray.integrations._versions import require_version


def trace_requests() -> None:
    """Wrap ``Session.send``, which all others call."""
    import requests
    from requests.sessions import Session

    require_version("requests", getattr(requests, "__version__", None), (2, 28), (2,))
    trace_calls(Session, "send", _enter, _outcome)


def _enter(session: Any, request: Any, **options: Any) -> bool:
    return enter_request(request.method, host_of(request.url), "requests")


def _outcome(response: Any, *args: Any, **options: Any) -> tuple[int, str | None]:
    return status_of(response.status_code)
