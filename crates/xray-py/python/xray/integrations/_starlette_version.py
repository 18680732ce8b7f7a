"""The versions of Starlette that the integrations were tested with."""

from __future__ import annotations

import starlette

from xray.integrations._versions import require_version


def require_starlette() -> None:
    """Step aside for other versions.

    :raises Unsupported: the version is not one of them.
    """
    require_version("Starlette", starlette.__version__, (0, 40), (1,))
