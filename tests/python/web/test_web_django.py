"""Django under ASGI: the names of its requests, and their ends."""

import asyncio
import logging

import pytest
from asgi_client import ask, call, http
from test_names import ROUTES
from tracebacks import own_frames


@pytest.fixture(scope="session")
def asgi_site():
    """The test site's ASGI handler in this process, with xray installed."""
    import xray

    xray.install("tests")
    from testsite.asgi import application

    return application


@pytest.fixture
def recorder(asgi_site, recorder):
    """The recorder, with Django's integrations loaded."""
    from xray.integrations import django_names

    yield recorder
    # Numbers that the recorder gave to names.
    django_names.known.clear()


@pytest.fixture(autouse=True)
def quiet():
    """What fails here fails on purpose."""
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("django.request").setLevel(logging.NOTSET)


@pytest.mark.parametrize("path, route, handler, url_name", [route for route in ROUTES if "%" not in route[0]])
@pytest.mark.parametrize("recording", [False, True])
def test_a_route_names_its_requests(asgi_site, recorder, path, route, handler, url_name, recording):
    recorder.is_recording = recording
    assert call(asgi_site, path).status == 200
    assert recorder.only.names == [("GET", route, handler, url_name, path)] * (2 if recording else 1)
    assert (recorder.only.status, recorder.only.ended) == (200, True)


@pytest.mark.parametrize("recording", [False, True])
def test_an_async_view_names_its_requests(asgi_site, recorder, recording):
    recorder.is_recording = recording
    assert call(asgi_site, "/async/x/").body == b"x"
    name = ("GET", "async/<name>/", "testsite.views.asynchronous", None, "/async/x/")
    assert recorder.only.names == [name] * (2 if recording else 1)


@pytest.mark.parametrize("recording", [False, True])
def test_requests_without_a_route_share_one_name(asgi_site, recorder, recording):
    recorder.is_recording = recording
    for path in ("/nope/", "/wp-login.php", "/tags"):
        assert call(asgi_site, path).status in (301, 404)
    assert {name[:4] for seen in recorder.transactions for name in seen.names} == {("GET", None, None, None)}


@pytest.mark.parametrize("recording", [False, True])
def test_what_a_middleware_answers_has_the_name_of_its_route(asgi_site, recorder, recording):
    recorder.is_recording = recording
    assert call(asgi_site, "/tags/x/", query="answered=1").body == b"answered"
    assert {name[1] for name in recorder.only.names} == {"tags/<tag>/"}
    assert call(asgi_site, "/static/css/site.css").body == b"answered"
    assert recorder.transactions[-1].names[-1][1] == "/static/<path>"


def test_the_prefix_of_a_proxy_is_in_no_name(asgi_site, recorder):
    recorder.is_recording = True
    call(asgi_site, scope=http("/prefix/tags/x/", root_path="/prefix"))
    assert {name[1:] for name in recorder.only.names} == {
        ("tags/<tag>/", "testsite.views.plain", "tag", "/prefix/tags/x/")
    }


@pytest.mark.parametrize("path, error", [("/fails/", "builtins.ValueError"), ("/async-fails/", "builtins.LookupError")])
def test_an_exception_is_noted_that_django_answers(asgi_site, recorder, path, error):
    assert call(asgi_site, path).status == 500
    assert (recorder.only.status, recorder.only.error) == (500, error)


@pytest.mark.parametrize("path", ["/async-stream/", "/stream/", "/file/"])
def test_a_stream_ends_with_its_last_part(asgi_site, recorder, path):
    ended = []
    answer = asyncio.run(ask(asgi_site, http(path), sent=lambda message: ended.append(recorder.only.ended)))
    assert answer.status == 200
    assert not any(ended)
    assert recorder.only.ended


def test_a_client_that_goes_away_ends_it(asgi_site, recorder):
    gone = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
    call(asgi_site, "/async-stream/", received=gone)
    assert recorder.only.ended


def test_what_it_does_not_serve_is_refused_as_ever(asgi_site, recorder):
    with pytest.raises(ValueError, match="can only handle ASGI/HTTP") as raised:
        call(asgi_site, scope={"type": "websocket", "path": "/", "headers": []})
    assert own_frames(raised.value) == []
