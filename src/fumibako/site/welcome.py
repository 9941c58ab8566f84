"""What `up` prints when everything answers: where, and with which first passwords."""

import contextlib
import json
from typing import Any

from fumibako.site.data_folder import DataFolder, Running, write_private
from fumibako.site.words import gettext


def first_login(folder: DataFolder) -> dict[str, Any]:
    """What the first start kept; empty where the operator has removed it, or people were there before."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(folder.first_login.read_text())
        return found
    return {}


def renew_first_login(folder: DataFolder, running: Running) -> None:
    """Put this start's address, and the sample as it now is, into the file of the first passwords."""
    kept = first_login(folder)
    sample = {"address": running.sample.address, "password": running.sample.password} if running.sample else None
    renewed = {**kept, "url": running.url, "sample": sample}
    if kept and renewed != kept:
        write_private(folder.first_login, json.dumps(renewed, indent=2) + "\n")


def welcome(folder: DataFolder, running: Running) -> str:
    """The lines to print."""
    lines = [gettext("Fumibako is running: %(url)s") % {"url": running.url}]
    kept = first_login(folder)
    for role, words in (("admin", gettext("First password of the admin")), ("member", gettext("… of the member"))):
        if role in kept:
            lines.append(f"  {words}: {kept[role]['login']} / {kept[role]['password']}")
    if running.sample:
        words = gettext("A sample mailbox to link")
        lines.append(f"  {words}: {running.sample.address} / {running.sample.password}")
    lines.append(gettext("Ctrl-C stops everything."))
    return "\n".join(["", *lines, ""])
