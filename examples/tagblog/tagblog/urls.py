"""Routes of the site."""

from django.urls import include, path

urlpatterns = [path("", include("blog.urls"))]

handler404 = "blog.views.page_not_found"
handler500 = "blog.views.server_error"
