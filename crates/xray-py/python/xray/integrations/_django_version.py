"""The versions of Django that the integrations were tested with."""

from __future__ import annotations

import django

from xray.integrations._base import require


def require_django() -> None:
    """Step aside for other versions.

    :raises Unsupported: the version is not one of them.
    """
    require("Django", django.VERSION[:2], (4, 2), (6, 1))
