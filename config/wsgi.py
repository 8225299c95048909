"""The web application for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from config import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("WEB_STATEMENT_SECONDS", "15")
embedded.start_where_needed()
application = get_wsgi_application()
