"""Django's entry to the room of pages."""

from django.apps import AppConfig

from .catalogs import compile_catalogs


class WebConfig(AppConfig):
    """Pages, their templates, static files and translations."""

    name = "fumibako.web"
    label = "web"

    def ready(self) -> None:
        compile_catalogs()
