"""Names of FastAPI's requests: routers inside one another, applications below it, another framework's too."""

import pytest
from asgi_client import call, websocket
from fastapiapp import app

ROUTES = [
    # path, route, endpoint, route name
    ("/", "/", "fastapiapp.home", "home"),
    ("/tags/django", "/tags/{tag}", "fastapiapp.tag", "tag_detail"),
    ("/numbers/3", "/numbers/{number}", "fastapiapp.number", "number"),
    ("/v1/outer/x", "/v1/outer/{name}", "fastapiapp.outer_named", "outer_named"),
    ("/v1/outer/with-this/inner/x", "/v1/outer/with-{kind}/inner/{name}", "fastapiapp.named", "named"),
    ("/below/users/me", "/below/users/{user}", "fastapiapp.user", "below:user"),
    ("/static/fastapiapp.py", "/static/{path:path}", "starlette.staticfiles.StaticFiles", "static"),
    ("/flask/tags/x/", "/flask/tags/<tag>/", "flaskapp.tag", "flask:tag_detail"),
    ("/openapi.json", "/openapi.json", "fastapi.applications.FastAPI.setup.<locals>.openapi", "openapi"),
]


@pytest.mark.parametrize("path, route, handler, name", ROUTES)
@pytest.mark.parametrize("recording", [False, True])
def test_a_route_names_its_requests(recorder, path, route, handler, name, recording):
    recorder.is_recording = recording
    assert call(app, path).status == 200
    assert recorder.only.names == [("GET", route, handler, name, path)] * (2 if recording else 1)
    assert (recorder.only.status, recorder.only.ended) == (200, True)


@pytest.mark.parametrize("recording", [False, True])
def test_requests_without_a_route_share_one_name(recorder, recording):
    recorder.is_recording = recording
    for path in ("/nope", "/v1/outer/x/y", "/below/nope", "/flask/nope", "/tags/x/", "/flask/tags/x"):
        assert call(app, path).status in (307, 308, 404)
    assert {name[:4] for seen in recorder.transactions for name in seen.names} == {("GET", None, None, None)}


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("path, route", [("/tags/x", "/tags/{tag}"), ("/v1/outer/x", "/v1/outer/{name}")])
def test_a_method_that_is_not_allowed_has_the_name_of_the_route(recorder, path, route, recording):
    recorder.is_recording = recording
    assert call(app, path, "DELETE").status == 405
    assert {name[:2] for name in recorder.only.names} == {("DELETE", route)}


@pytest.mark.parametrize("recording", [False, True])
def test_what_the_application_refuses_has_the_name_of_the_route(recorder, recording):
    recorder.is_recording = recording
    assert (call(app, "/numbers/none").status, call(app, "/missing").status) == (422, 404)
    names = [{name[1] for name in seen.names} for seen in recorder.transactions]
    assert names == [{"/numbers/{number}"}, {"/missing"}]


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize(
    "path, route, handler, name",
    [
        ("/echo/red", "/echo/{room}", "fastapiapp.echo", "echo"),
        (
            "/v1/outer/with-this/inner/socket",
            "/v1/outer/with-{kind}/inner/socket",
            "fastapiapp.inner_socket",
            "inner_socket",
        ),
    ],
)
def test_websockets_are_named_by_their_routes(recorder, path, route, handler, name, recording):
    recorder.is_recording = recording
    call(app, scope=websocket(path), received=[{"type": "websocket.connect"}])
    assert set(recorder.only.names) == {(None, route, handler, name, path)}


def test_a_directory_of_a_frontend_has_one_name(recorder, tmp_path):
    from fastapi import APIRouter, FastAPI

    if not hasattr(APIRouter, "frontend"):
        pytest.skip("this FastAPI serves no frontends")
    (tmp_path / "deep").mkdir()
    for name in ("index.html", "deep/page.html"):
        (tmp_path / name).write_text("page")
    router, application = APIRouter(), FastAPI()
    router.frontend("/site", directory=tmp_path)
    application.include_router(router, prefix="/my")
    for path in ("/my/site/index.html", "/my/site/deep/page.html"):
        assert call(application, path).status == 200
    assert {seen.names[-1][1] for seen in recorder.transactions} == {"/my/site/<path>"}


def test_the_router_is_listed_as_its_requests_are_named(recorder):
    from xray import _application
    from xray.integrations import starlette_names as names

    call(app, "/flask/tags/x/")
    routes = {route: (handler, name) for _, route, handler, name in names.routes(app)}
    for path, route, handler, name in ROUTES:
        assert routes[route] == (handler, name)
        assert names.resolve_path(app, path) == route
    assert routes["/echo/{room}"] == ("fastapiapp.echo", "echo")
    assert "FastAPI " in _application.framework()
