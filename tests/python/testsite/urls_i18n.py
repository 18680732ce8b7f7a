"""Routes with the language in front."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import path

from testsite import views

urlpatterns = [
    path("plain/", views.plain),
    *i18n_patterns(path("tags/<tag>/", views.plain, name="tag"), prefix_default_language=False),
]
