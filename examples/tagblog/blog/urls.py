"""Routes of the blog."""

from django.urls import path

from blog import api, views

urlpatterns = [
    path("", views.post_list, name="post-list"),
    path("posts/<slug:slug>/", views.post_detail, name="post-detail"),
    path("tags/", views.tag_list, name="tag-list"),
    path("tags/<tag>/", views.tag_detail, name="tag-detail"),
    path("archive/", views.archive, name="archive"),
    path("archive/<int:year>/<int:month>/", views.archive_month, name="archive-month"),
    path("search/", views.search, name="search"),
    path("authors/<int:pk>/", views.AuthorDetail.as_view(), name="author-detail"),
    path("api/posts/", api.post_collection, name="api-posts"),
    path("api/posts/<int:pk>/", api.post_item, name="api-post"),
    path("healthz", views.health, name="health"),
    path("broken/", views.broken, name="broken"),
]
