"""Settings of the tag blog: an ordinary production-like Django site on SQLite, or on PostgreSQL and Redis.

``TAGBLOG_POSTGRESQL`` is the host of a PostgreSQL server, or the directory of its socket; ``TAGBLOG_REDIS`` the URL of
a Redis server, which then counts the visits to each page.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "a demonstration on loopback: not a secret"
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]

INSTALLED_APPS = ["blog"]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "tagblog.urls"
WSGI_APPLICATION = "tagblog.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "blog.context_processors.navigation",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("TAGBLOG_DB", BASE_DIR / "blog.sqlite3"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"timeout": 10},
    }
}

if "TAGBLOG_POSTGRESQL" in os.environ:
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["TAGBLOG_POSTGRESQL"],
        "USER": os.environ.get("TAGBLOG_POSTGRESQL_USER", "postgres"),
        "NAME": os.environ.get("TAGBLOG_POSTGRESQL_DATABASE", "postgres"),
        "CONN_MAX_AGE": None,
    }

if "TAGBLOG_REDIS" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["TAGBLOG_REDIS"],
        }
    }
    MIDDLEWARE.append("blog.visits.count_visits")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    # The error page of this site is visited on purpose, some hundred times a run: one line each, no traceback mails.
    "loggers": {"django.request": {"handlers": ["console"], "level": "CRITICAL", "propagate": False}},
}
