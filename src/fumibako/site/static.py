"""Static files are served from where they lie, by WhiteNoise: there is no step of collecting them.

Their URLs carry a hash of their content, so a browser that kept an old one asks anew after an update.
"""

import functools
import hashlib
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


class VersionedStaticFiles(StaticFilesStorage):
    """Django's plain storage with `?v=` and eight digits of SHA-256 behind each URL."""

    def url(self, name: str | None) -> str:
        """The address of a static file for templates."""
        return f"{super().url(name)}?v={_version(name)}" if name else super().url(name)


@functools.cache
def _version(name: str) -> str:
    path = finders.find(name)
    if path is None:
        raise ValueError(f"there is no static file {name!r}")
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
