"""Names of Django's requests: the same before and after the view, with and without a session."""

import pytest
from wsgi_client import call

ROUTES = [
    # path, route as Django writes it, view, url name
    ("/", "", "testsite.views.plain", "home"),
    ("/tags/django/", "tags/<tag>/", "testsite.views.plain", "tag"),
    ("/tags/d%C3%A9j%C3%A0/", "tags/<tag>/", "testsite.views.plain", "tag"),
    ("/posts/2013/a-post/", "posts/<int:year>/<str:slug>/", "testsite.views.decorated", "post"),
    ("/old/2013/", "^old/(?P<year>[0-9]{4})/$", "testsite.views.plain", "old"),
    ("/unnamed/12/", "^unnamed/([0-9]+)/$", "testsite.urls.<lambda>", None),
    ("/page/1/", "page/<int:pk>/", "testsite.views.Page", "page"),
    ("/decorated-page/", "decorated-page/", "testsite.views.DecoratedPage", None),
    ("/set/1/", "set/<int:pk>/", "testsite.views.ViewSet", "set"),
    ("/feed/", "feed/", "testsite.views.Callable", None),
    ("/partial/", "partial/", "testsite.views.plain", None),
    ("/app/", "app/", "testsite.views.plain", "outer:index"),
    ("/app/a-slug/", "app/<slug:slug>/", "testsite.views.plain", "outer:detail"),
    ("/app/by-regex/7/", "app/by-regex/(?P<pk>\\d+)/$", "testsite.views.Page", "outer:regex"),
    ("/plain-include/a-slug/", "plain-include/<slug:slug>/", "testsite.views.plain", "detail"),
    ("/deep/3/a-slug/", "deep/<int:a>/<slug:slug>/", "testsite.views.plain", "deep:detail"),
]


@pytest.mark.parametrize("path, route, handler, url_name", ROUTES)
@pytest.mark.parametrize("recording", [False, True])
def test_a_route_names_its_requests(site, recorder, path, route, handler, url_name, recording):
    recorder.is_recording = recording
    assert call(site, path).status == "200 OK"
    # With a session before the view and when it has answered, without one only then: the same name.
    assert [name[:4] for name in recorder.only.names] == [("GET", route, handler, url_name)] * (2 if recording else 1)
    # Only a session keeps the path.
    assert not recording or {name[4] for name in recorder.only.names} == {path}
    assert recorder.only.status == 200
    assert recorder.only.ended


@pytest.mark.parametrize("recording", [False, True])
def test_requests_without_a_route_share_one_name(site, recorder, recording):
    recorder.is_recording = recording
    for path in ("/nope/", "/wp-login.php", "/tags", "/page/not-a-number/"):
        call(site, path)
    assert {name[:4] for transaction in recorder.transactions for name in transaction.names} == {
        ("GET", None, None, None)
    }
    assert [transaction.names[-1][4] for transaction in recorder.transactions][:2] == ["/nope/", "/wp-login.php"]


def test_a_404_of_a_view_has_the_views_name(site, recorder):
    assert call(site, "/missing/").status == "404 Not Found"
    assert recorder.only.names[-1][:4] == ("GET", "missing/", "testsite.views.missing", "missing")
    assert recorder.only.status == 404
    assert recorder.only.error is None


def test_the_urlconf_that_a_middleware_chooses_decides(site, recorder):
    recorder.is_recording = True
    assert call(site, "/elsewhere/x/").status == "200 OK"
    first, last = recorder.only.names
    assert first[1] is None
    assert last[1:4] == ("elsewhere/<word>/", "testsite.views.decorated", "elsewhere")


@pytest.mark.parametrize("recording", [False, True])
def test_what_a_middleware_answers_has_the_name_of_its_route(site, recorder, recording):
    recorder.is_recording = recording
    assert call(site, "/tags/x/", query="answered=1").body == b"answered"
    assert recorder.only.names == [("GET", "tags/<tag>/", "testsite.views.plain", "tag", "/tags/x/")]


@pytest.mark.parametrize("recording", [False, True])
def test_static_files_share_one_name(site, recorder, recording):
    recorder.is_recording = recording
    call(site, "/static/css/site.css")
    assert recorder.only.names == [("GET", "/static/<path>", None, None, "/static/css/site.css")]


def test_an_invented_method_makes_no_name(site, recorder):
    call(site, "/tags/x/", "INVENTED")
    assert recorder.only.names[-1][0] == "OTHER"


def test_the_path_has_the_prefix_of_the_server_and_no_query(site, recorder):
    from wsgi_client import environ

    recorder.is_recording = True
    env = environ("/tags/x/", query="secret=1")
    env["SCRIPT_NAME"] = "/prefix"
    call(site, env=env)
    assert [name[4] for name in recorder.only.names] == ["/prefix/tags/x/"] * 2


def test_a_path_that_is_no_utf8_is_only_a_404(site, recorder):
    recorder.is_recording = True
    response = call(site, "/\xff\xfe/")
    assert response.status == "404 Not Found"
    assert recorder.only.names[0][1] is None


def test_languages_in_front(run):
    run("""
        from django.conf import settings

        settings.configure(
            ROOT_URLCONF="testsite.urls_i18n",
            USE_I18N=True,
            LANGUAGE_CODE="en",
            LANGUAGES=[("en", "e"), ("de", "d")],
        )
        import django

        django.setup()
        import django.conf.urls.i18n
        from django.utils import translation
        from xray.integrations.django_names import Django, early_name

        # What an earlier request of the thread has left must not matter, and must stay.
        translation.activate("de")
        assert early_name("/de/tags/x/").route == "de/tags/<tag>/"
        assert early_name("/tags/x/").route == "tags/<tag>/"
        assert early_name("/fr/tags/x/").route is None
        assert [route for _, route, _, _ in Django().routes()] == ["plain/", "tags/<tag>/", "de/tags/<tag>/"]
        assert Django().resolve_path("/de/tags/x/") == "de/tags/<tag>/"
        assert translation.get_language() == "de"
    """)


def test_the_router_is_listed_as_its_requests_are_named(site):
    from xray import _application
    from xray.integrations.django_names import Django

    routes = {route: (handler, url_name) for _, route, handler, url_name in Django().routes()}
    for path, route, handler, url_name in ROUTES:
        assert routes[route] == (handler, url_name)
        if "%" not in path:
            assert Django().resolve_path(path) == route
    assert Django().resolve_path("/nope/") is None
    assert "Django " in _application.framework()


def test_a_class_says_which_methods_it_has(site):
    from xray import _application

    methods = {route: methods for methods, route, _, _ in _application.routes()}
    assert methods["page/<int:pk>/"] == ("GET", "HEAD", "OPTIONS")
    assert methods["decorated-page/"] == ("GET", "HEAD", "OPTIONS", "POST")
    assert methods["tags/<tag>/"] is None


def test_a_view_that_wraps_itself_is_named(site):
    from xray.integrations._views import view_name

    def view(request):
        pass

    view.__wrapped__ = view
    assert view_name(view).endswith("<locals>.view")


def test_a_class_made_for_a_function_has_the_functions_name(site):
    from xray.integrations._views import view_name

    def view(request):
        pass

    # As Django REST framework's `api_view` does.
    view.cls = type("Wrapped", (), {"__module__": "blog.api"})
    view.cls.__name__ = "posts"
    assert view_name(view) == "blog.api.posts"


def test_rest_framework(site):
    pytest.importorskip("rest_framework")
    from rest_framework.decorators import api_view
    from rest_framework.views import APIView

    from xray.integrations._views import view_name

    class Detail(APIView):
        pass

    @api_view(["GET"])
    def function(request):
        pass

    assert view_name(Detail.as_view()).endswith("<locals>.Detail")
    assert view_name(function) == "test_names.function"


def test_the_names_of_views_do_not_fill_the_memory(site, monkeypatch):
    from xray.integrations import _views

    monkeypatch.setattr(_views, "_MAX_VIEWS", 10)
    for _ in range(100):
        assert _views.view_name(lambda request: None).endswith("<lambda>")
    assert len(_views._views) <= 10
