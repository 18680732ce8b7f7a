"""Every way to write a route."""

import functools

from django.urls import include, path, re_path

from testsite import views

inner = [
    path("", views.plain, name="index"),
    path("<slug:slug>/", views.plain, name="detail"),
    re_path(r"^by-regex/(?P<pk>\d+)/$", views.Page.as_view(), name="regex"),
]

urlpatterns = [
    path("", views.plain, name="home"),
    path("tags/<tag>/", views.plain, name="tag"),
    path("posts/<int:year>/<str:slug>/", views.decorated, name="post"),
    re_path(r"^old/(?P<year>[0-9]{4})/$", views.plain, name="old"),
    re_path(r"^unnamed/([0-9]+)/$", lambda request, number: views.plain(request, number=number)),
    path("page/<int:pk>/", views.Page.as_view(), name="page"),
    path("decorated-page/", views.carefully(views.DecoratedPage.as_view())),
    path("set/<int:pk>/", views.ViewSet.as_view({"get": "retrieve"}), name="set"),
    path("feed/", views.Callable()),
    path("partial/", functools.partial(views.plain, extra=1)),
    path("app/", include((inner, "inner"), namespace="outer")),
    path("plain-include/", include(inner)),
    path("deep/", include([path("<int:a>/", include((inner, "inner"), namespace="deep"))])),
    path("pages/", views.pages),
    path("fails/", views.fails),
    path("fails-in-template/", views.fails_in_template),
    path("fails-in-sql/", views.fails_in_sql),
    path("missing/", views.missing, name="missing"),
    path("stream/", views.stream),
    path("stream-fails/", views.stream_fails),
    path("async/<name>/", views.asynchronous),
    path("async-stream/", views.asynchronous_stream),
    path("async-fails/", views.asynchronous_fails),
    path("file/", views.file),
    path("memory-file/", views.memory_file),
]
