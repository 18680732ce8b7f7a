"""Names of Flask's requests: the same before and after matching, with and without a session."""

import pytest
from flaskapp import app, both, by_customer
from wsgi_client import call, environ

import xray

ROUTES = [
    # path, rule, view, endpoint
    ("/", "/", "flaskapp.home", "home"),
    ("/tags/django/", "/tags/<tag>/", "flaskapp.tag", "tag_detail"),
    ("/years/2013/a/b", "/years/<int:year>/<path:rest>", "flaskapp.year", "year"),
    ("/async/x", "/async/<name>", "flaskapp.asynchronous", "asynchronous"),
    ("/pages/3", "/pages/<int:number>", "flaskapp.Page", "page"),
    ("/listing", "/listing", "flaskapp.Listing", "listing"),
    ("/shop/", "/shop/", "flaskapp.shop_home", "shop.shop_home"),
    ("/shop/inner/x", "/shop/inner/<name>", "flaskapp.named", "shop.inner.named"),
    ("/streams", "/streams", "flaskapp.streams", "streams"),
    ("/asks-itself", "/asks-itself", "flaskapp.asks_itself", "asks_itself"),
]


@pytest.mark.parametrize("path, rule, view, endpoint", ROUTES)
@pytest.mark.parametrize("recording", [False, True])
def test_a_rule_names_its_requests(recorder, path, rule, view, endpoint, recording):
    recorder.is_recording = recording
    assert call(app, path).status == "200 OK"
    # With a session before anything runs and when Flask has matched it, without one only then: the same name.
    assert recorder.only.names == [("GET", rule, view, endpoint, path)] * (2 if recording else 1)
    assert (recorder.only.status, recorder.only.ended) == (200, True)


@pytest.mark.parametrize("recording", [False, True])
def test_requests_without_a_rule_share_one_name(recorder, recording):
    recorder.is_recording = recording
    for path in ("/nope", "/wp-login.php", "/shop/inner/x/y", "/tags/x"):
        assert call(app, path).status[:3] in ("308", "404")
    assert {name[:4] for seen in recorder.transactions for name in seen.names} == {("GET", None, None, None)}
    assert [seen.status for seen in recorder.transactions] == [404, 404, 404, 308]


@pytest.mark.parametrize("recording", [False, True])
def test_a_method_that_is_not_allowed_has_the_name_of_the_rule(recorder, recording):
    recorder.is_recording = recording
    assert call(app, "/tags/x/", "DELETE").status == "405 METHOD NOT ALLOWED"
    assert recorder.only.names == [("DELETE", "/tags/<tag>/", "flaskapp.tag", "tag_detail", "/tags/x/")]


@pytest.mark.parametrize("recording", [False, True])
def test_a_404_of_a_view_has_the_views_name(recorder, recording):
    recorder.is_recording = recording
    assert call(app, "/missing").status == "404 NOT FOUND"
    assert {name[1] for name in recorder.only.names} == {"/missing"}


def test_an_exception_is_noted_that_flask_answers(recorder):
    assert call(app, "/fails").status == "500 INTERNAL SERVER ERROR"
    assert (recorder.only.status, recorder.only.error) == (500, "builtins.LookupError")


def test_a_stream_ends_with_its_last_part(recorder):
    body = app(environ("/streams"), lambda status, headers, exc_info=None: None)
    assert next(iter(body)) == b"part 0 "
    assert not recorder.only.ended
    body.close()
    assert recorder.only.ended


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_applications_below_one_another_have_their_paths(recorder, recording, wrapped):
    recorder.is_recording = recording
    application = xray.wsgi(both) if wrapped else both
    for path in ("/admin/users/me", "/tags/x/", "/admin/nope"):
        call(application, path)
    names = [{name[1:] for name in seen.names} for seen in recorder.transactions]
    assert names == [
        {("/admin/users/<user>", "flaskapp.user", "user", "/admin/users/me")},
        {("/tags/<tag>/", "flaskapp.tag", "tag_detail", "/tags/x/")},
        {(None, None, None, "/admin/nope")},
    ]


@pytest.mark.parametrize("recording", [False, True])
def test_a_prefix_that_is_made_of_the_request_is_in_no_name(recorder, recording):
    recorder.is_recording = recording
    for customer in ("one", "another"):
        call(by_customer, f"/{customer}/tags/x/")
    assert {name[1] for seen in recorder.transactions for name in seen.names} == {"/tags/<tag>/"}


def test_the_rules_are_listed_as_their_requests_are_named(recorder):
    from xray.integrations.flask_names import known_applications

    call(both, "/")
    call(both, "/admin/users/me")
    routes = {route: (handler, name) for _, route, handler, name in known_applications.routes()}
    for path, rule, view, endpoint in ROUTES:
        assert routes[rule] == (view, endpoint)
        assert known_applications.resolve_path(path) == rule
    assert routes["/admin/users/<user>"] == ("flaskapp.user", "user")
    assert known_applications.resolve_path("/admin/users/me") == "/admin/users/<user>"
    assert known_applications.resolve_path("/nope") is None
    methods = {route: methods for methods, route, _, _ in known_applications.routes()}
    assert methods["/tags/<tag>/"] == ("GET", "HEAD", "OPTIONS", "PUT")


def test_outside_of_a_request_nothing_is_named(recorder):
    with app.test_request_context("/tags/x/"):
        pass
    assert recorder.transactions == []
