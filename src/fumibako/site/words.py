"""What the command line says, in the operator's language: Japanese where the locale is, else English.

The catalog is that of the pages. Django's own translations need its applications, which the parent process of `up` does
not load.
"""

import functools
import gettext as catalogs
import os

from fumibako.web.catalogs import LOCALE, compile_catalogs


def gettext(text: str) -> str:
    """The text in the operator's language."""
    return _catalog().gettext(text)


@functools.cache
def _catalog() -> catalogs.NullTranslations:
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not locale.startswith("ja"):
        return catalogs.NullTranslations()
    compile_catalogs()
    return catalogs.translation("django", LOCALE, languages=["ja"], fallback=True)
