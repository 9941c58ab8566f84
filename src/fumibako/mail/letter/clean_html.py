"""A mail's HTML made safe to show."""

from collections.abc import Callable

from fumibako.mail.letter.values import CleanHtml


def clean_html(html: str, picture: Callable[[str], str | None]) -> CleanHtml:
    """Make a mail's HTML safe to show in a sandboxed frame.

    `picture` is asked with the Content-ID of each `cid:` picture and gives the URL to show it from, or None to drop it.
    """
    raise NotImplementedError
