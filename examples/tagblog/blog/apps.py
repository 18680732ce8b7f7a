"""The blog application."""

from django.apps import AppConfig


class BlogConfig(AppConfig):
    """Posts with tags, authors and comments."""

    name = "blog"
    verbose_name = "Tag blog"

    def ready(self) -> None:
        """Connect the planted fault that lives outside the views, if it is asked for."""
        from blog import faults

        faults.connect()
