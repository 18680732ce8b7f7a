"""Settings of the test site; ``TESTSITE_MIDDLEWARE`` adds middlewares in front, separated by commas."""

import os

SECRET_KEY = "a test: not a secret"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = []
ROOT_URLCONF = "testsite.urls"
STATIC_URL = "/static/"
MIDDLEWARE = [
    *filter(None, os.environ.get("TESTSITE_MIDDLEWARE", "").split(",")),
    "django.middleware.common.CommonMiddleware",
    "testsite.middleware.choose_urlconf",
    "testsite.middleware.answer",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.locmem.Loader",
                    {
                        "base.html": "<html>{% block body %}nothing{% endblock %}</html>",
                        "page.html": "{% extends 'base.html' %}{% block body %}{{ word }}{% include 'part.html' %}"
                        "{% endblock %}",
                        "part.html": "<p>{{ call }}</p>",
                    },
                )
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_I18N = False
USE_TZ = True
LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"django.request": {"level": "CRITICAL"}}}
