"""What xray knows of other libraries: one module each, imported only when its library is.

Each target is ``module:function`` of this package; the function changes the library's module that is the key.
"""

#: Where a web request begins and ends.
ENTRY_POINTS = {
    "django.core.handlers.wsgi": "django:begin_in_handler",
    "gunicorn.app.base": "gunicorn:begin_in_server",
    "wsgiref.simple_server": "wsgiref:begin_in_server",
}

#: What gives names and segments to a transaction, wherever it begins.
INSIDE = {
    "asyncpg.connection": "asyncpg:trace_connections",
    "django.core.cache": "django_cache:trace_caches",
    "django.core.handlers.base": "django:name_transactions",
    "django.db.backends.sqlite3.base": "django_db:trace_sqlite",
    "django.db.backends.utils": "django_db:trace_cursors",
    "django.template.base": "django_templates:trace_templates",
    "django.template.loader_tags": "django_templates:trace_blocks",
    "httpx": "httpx:trace_requests",
    "jinja2": "jinja2:trace_templates",
    "psycopg": "psycopg:trace_cursors",
    "psycopg2": "psycopg2:trace_connections",
    "psycopg2.extras": "psycopg2:trace_extras",
    "redis": "redis:trace_commands",
    "requests": "requests:trace_requests",
    "sqlalchemy": "sqlalchemy:trace_statements",
    "sqlalchemy.dialects.mysql.mysqldb": "sqlalchemy:trace_mysqldb",
    "sqlalchemy.dialects.postgresql.psycopg2": "sqlalchemy:trace_psycopg2",
    "sqlite3.dbapi2": "sqlite3:trace_cursors",
    "urllib3": "urllib3:trace_requests",
}
