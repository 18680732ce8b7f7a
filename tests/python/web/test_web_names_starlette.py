"""Names of Starlette's requests: the same before and after routing, with and without a session."""

import pytest
from asgi_client import call, http, websocket
from starletteapp import app, bare

HANDLER = "starletteapp.plain"
ROUTES = [
    # path, route, endpoint, route name
    ("/", "/", HANDLER, "home"),
    ("/tags/django", "/tags/{tag}", HANDLER, "tag"),
    ("/tags/d\u00e9j\u00e0", "/tags/{tag}", HANDLER, "tag"),
    ("/years/2013/", "/years/{year:int}/", HANDLER, "plain"),
    ("/rest/of/a/path", "/rest/{rest:path}", HANDLER, "rest"),
    ("/page", "/page", "starletteapp.Page", "page"),
    ("/thread", "/thread", "starletteapp.in_thread", "in_thread"),
    ("/users/me/posts/7", "/users/{user}/posts/{post}", HANDLER, "users:post"),
    ("/sub/x", "/sub/{name}", HANDLER, "sub:named"),
    ("/deep/er/x", "/deep/er/x", HANDLER, "deep:er:x"),
    ("/wrapped/x", "/wrapped/x", HANDLER, "x"),
    ("/static/starletteapp.py", "/static/{path:path}", "starlette.staticfiles.StaticFiles", "static"),
    ("/raw/any/thing", "/raw/{path:path}", "starletteapp.raw", None),
]


@pytest.fixture(params=[app, bare], ids=["in a middleware's task", "bare"])
def application(request):
    return request.param


@pytest.mark.parametrize("path, route, handler, name", ROUTES)
@pytest.mark.parametrize("recording", [False, True])
def test_a_route_names_its_requests(recorder, application, path, route, handler, name, recording):
    recorder.is_recording = recording
    assert call(application, path).status == 200
    # With a session before anything runs and when the router has found it, without one only then: the same name.
    assert recorder.only.names == [("GET", route, handler, name, path)] * (2 if recording else 1)
    assert (recorder.only.status, recorder.only.ended) == (200, True)


@pytest.mark.parametrize("recording", [False, True])
def test_requests_without_a_route_share_one_name(recorder, application, recording):
    recorder.is_recording = recording
    # Of a router, of a mounted router, of a mounted application; and redirects to another slash.
    for path in ("/nope", "/wp-login.php", "/users/me/nope", "/sub/no/pe", "/years/2013", "/tags/x/"):
        assert call(application, path).status in (404, 307)
    assert {name[:4] for seen in recorder.transactions for name in seen.names} == {("GET", None, None, None)}
    assert [seen.status for seen in recorder.transactions] == [404, 404, 404, 404, 307, 307]


@pytest.mark.parametrize("recording", [False, True])
def test_a_method_that_is_not_allowed_has_the_name_of_the_route(recorder, application, recording):
    recorder.is_recording = recording
    assert call(application, "/tags/x", "DELETE").status == 405
    assert {name[:4] for name in recorder.only.names} == {("DELETE", "/tags/{tag}", HANDLER, "tag")}


@pytest.mark.parametrize("recording", [False, True])
def test_a_host_has_routes_of_its_own(recorder, recording):
    recorder.is_recording = recording
    scope = {**http("/only-there"), "headers": [(b"host", b"api.example.org")]}
    assert call(bare, scope=scope).status == 200
    assert {name[1:4] for name in recorder.only.names} == {("/only-there", HANDLER, "api:there")}


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize(
    "path, route, handler, name",
    [
        ("/echo/red", "/echo/{room}", "starletteapp.echo", "echo"),
        ("/echo-class", "/echo-class", "starletteapp.Echo", "Echo"),
        ("/nope", None, None, None),
    ],
)
def test_websockets_are_named_by_their_routes(recorder, path, route, handler, name, recording):
    recorder.is_recording = recording
    call(bare, scope=websocket(path), received=[{"type": "websocket.connect"}])
    assert set(recorder.only.names) == {(None, route, handler, name, path)}


def test_the_prefix_of_a_proxy_is_in_no_name(recorder):
    call(bare, scope=http("/behind/tags/x", root_path="/behind"))
    assert recorder.only.names == [("GET", "/tags/{tag}", HANDLER, "tag", "/behind/tags/x")]


def test_a_request_to_an_application_inside_a_request_is_part_of_it(recorder):
    from asgi_client import ask
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def asks(request):
        inside = await ask(bare, http("/tags/inside"))
        return PlainTextResponse(inside.body)

    answer = call(Starlette(routes=[Route("/asks", asks)]), "/asks")
    assert answer.body == b"plain {'tag': 'inside'}"
    assert [seen.names for seen in recorder.transactions] == [
        [("GET", "/asks", f"{__name__}.{asks.__qualname__}", "asks", "/asks")]
    ]


def test_the_router_is_listed_as_its_requests_are_named(recorder):
    from xray.integrations import starlette_names as names

    call(bare, "/")
    assert bare in names.known_applications.alive()
    routes = {route: (methods, handler, name) for methods, route, handler, name in names.routes(bare)}
    for path, route, handler, name in ROUTES:
        assert routes[route][1:] == (handler, name)
        assert names.resolve_path(bare, path) == route
    assert routes["/echo/{room}"] == (None, "starletteapp.echo", "echo")
    assert names.resolve_path(bare, "/nope") is None
    assert names.resolve_path(bare, "/echo/red") == "/echo/{room}"
    assert routes["/tags/{tag}"][0] == ("GET", "HEAD", "PUT")


def test_an_application_that_is_gone_is_not_listed(recorder):
    import gc

    from starlette.applications import Starlette
    from starlette.routing import Route
    from starletteapp import plain

    from xray.integrations.starlette_names import known_applications

    gone = Starlette(routes=[Route("/gone", plain)])
    call(gone, "/gone")
    assert known_applications.resolve_path("/gone") == "/gone"
    del gone
    gc.collect()
    assert known_applications.resolve_path("/gone") is None
