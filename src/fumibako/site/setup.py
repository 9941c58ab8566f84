"""What every process of ours does first: logs, and Django."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fumibako.site.refusal import Refusal, database_not_running
from fumibako.site.words import gettext

if TYPE_CHECKING:
    from django.conf import LazySettings


def read_settings() -> "LazySettings":
    """Django's settings, ours unless the environment names others. Loads no applications."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fumibako.site.settings")
    from django.conf import settings

    return settings


def set_up(*, pool: int = 0, keys: bool = True) -> None:
    """Load Django for a command. `pool` is the most connections that its threads share; 0: each its own.

    Raises Refusal when the database is the embedded one and nothing runs, or when `keys` are needed and missing.
    """
    import django

    from fumibako.site import log

    settings = read_settings()
    log.configure(settings.FUMIBAKO_LOG_LEVEL, settings.FUMIBAKO_LOG_FORMAT)
    if not settings.DATABASE_URL and not _runs(settings):
        raise database_not_running()
    if keys and not settings.FUMIBAKO_KEYS:
        raise Refusal(
            gettext("The key file %(path)s does not exist. Copy it from the machine where it was made.")
            % {"path": settings.FUMIBAKO_KEY_FILE}
        )
    if pool:
        options = settings.DATABASES["default"].setdefault("OPTIONS", {})
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
    django.setup()


def _runs(settings: "LazySettings") -> bool:
    running = settings.DATA_FOLDER.running()
    return running is not None and Path(f"/proc/{running.pid}").exists()
