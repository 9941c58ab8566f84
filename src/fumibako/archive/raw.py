"""The one door to the bytes of stored mail, as the server gave them."""

import zstandard
from django.db import connection

from fumibako.archive.errors import NotFound

_READ = "SELECT string_agg(body, ''::bytea ORDER BY n) FROM raw WHERE organization_id = %s AND message_id = %s"


def get_raw(organization: int, message: int) -> bytes:
    """The bytes of a message. Raises NotFound. Whether somebody may read them is ``read``'s matter."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [organization, message])
        (packed,) = cursor.fetchone()
    if packed is None:
        raise NotFound(str(message))
    return zstandard.ZstdDecompressor().decompressobj().decompress(bytes(packed))
