"""A mistake planted in the tag page is what the report names; nothing is named when there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from load import Load
from served_blog import APP, TAG_PAGE, Blog

#: By number of the fault: the finding's code and a word that its sentence must have.
NAMED = {
    1: ("n_plus_one", "blog_author"),
    2: ("slow_query", "blog_post"),
    3: ("hot_function", "edit_distance"),
    4: ("slow_c_call", "first_words"),
    5: ("gil_contention", "score"),
}


@pytest.mark.matrix
@pytest.mark.parametrize("fault", range(6))
def test_report_names_the_planted_fault(fault: int, serve: Callable[..., Blog], tmp_path: Path) -> None:
    blog = serve(fault=fault)
    file = tmp_path / "session.xr"
    load = Load(blog.site.port, blog.routes, concurrency=3).start()
    try:
        blog.wait_for_agent()
        session = blog.xray("session", "start", "--app", APP, "--transaction", TAG_PAGE, "--seconds", "5", "-o", file)
    finally:
        load.stop()
    assert session.returncode == 0, session.stderr
    assert all(answer.ok for answer in load.wait())
    verdict = blog.report(file)["verdict"]
    if fault == 0:
        assert verdict["findings"] == []
        return
    code, word = NAMED[fault]
    assert verdict["findings"], verdict["text"]
    assert verdict["findings"][0]["code"] == code, verdict
    assert word in verdict["findings"][0]["text"], verdict
    assert word in verdict["text"], verdict
