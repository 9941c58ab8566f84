"""What the product makes of a mail, as plain data: the JSON of `fumibako read`."""

from typing import Any


def describe(raw: bytes | memoryview, file: str) -> dict[str, Any]:
    """The mail as a dict that `json.dumps` takes; `file` is repeated in it as the caller named it."""
    raise NotImplementedError
