"""The site as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testsite.settings")
application = get_wsgi_application()
# Django has read it now; processes that tests start have settings of their own.
os.environ.pop("DJANGO_SETTINGS_MODULE", None)
