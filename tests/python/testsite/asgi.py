"""The ASGI application."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testsite.settings")
application = get_asgi_application()
# Django has read it now; processes that tests start have settings of their own.
os.environ.pop("DJANGO_SETTINGS_MODULE", None)
