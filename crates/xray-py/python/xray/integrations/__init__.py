"""What xray knows of other libraries: one module each, imported only when its library is.

Each target is ``module:function`` of this package; the function changes the library's module that is the key.
"""

#: Where a web request or a background task begins and ends.
ENTRY_POINTS = {
    "celery.app.amqp": "celery:note_sending",
    "celery.app.trace": "celery:begin_in_tasks",
    "django.core.handlers.asgi": "django_asgi:begin_in_handler",
    "django.core.handlers.wsgi": "django:begin_in_handler",
    "fastapi.applications": "fastapi:begin_in_application",
    "flask.app": "flask:begin_in_application",
    "gunicorn.app.base": "gunicorn:begin_in_server",
    "hypercorn.app_wrappers": "hypercorn:begin_in_server",
    "starlette.applications": "starlette:begin_in_application",
    "starlette.background": "starlette_background:begin_in_tasks",
    # The package, not its module: what a module is imported by has no version yet.
    "uvicorn": "uvicorn:begin_in_server",
    "wsgiref.simple_server": "wsgiref:begin_in_server",
}

#: What gives names and segments to a transaction, wherever it begins.
INSIDE = {
    "asgiref.sync": "asgiref:follow_contexts",
    "asyncpg.connection": "asyncpg:trace_connections",
    "django.core.cache": "django_cache:trace_caches",
    "django.core.handlers.base": "django:name_transactions",
    "django.db.backends.sqlite3.base": "django_db:trace_sqlite",
    "django.db.backends.utils": "django_db:trace_cursors",
    "django.template.base": "django_templates:trace_templates",
    "django.template.loader_tags": "django_templates:trace_blocks",
    "fastapi.routing": "fastapi:name_transactions",
    "greenlet": "greenlet:switch_contexts",
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
    "starlette.routing": "starlette:name_transactions",
    "urllib3": "urllib3:trace_requests",
    "werkzeug.middleware.dispatcher": "flask:know_mounts",
}
